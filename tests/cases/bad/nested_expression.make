rules:
  a:
    trigger: purchase
    do: []
1*    if: "
1000*(
1*true
1000*)
"
