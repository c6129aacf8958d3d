tables:
  a:
    list: [
200000*x,
