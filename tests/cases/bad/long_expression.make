rules:
  a:
    trigger: purchase
    do: []
1*    if: "true
2000*&&true
"
