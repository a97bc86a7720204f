x=y; y=z; z=5; echo $((x))
%%
i=0; until [ $i -ge 3 ]; do i=$((i+1)); echo $i; done; while false; do :; done; echo $?
%%
echo $((x=5)) $x; true && ! false; echo $?
%%
fib() { if [ $1 -lt 2 ]; then r=$1; else local n=$1; fib $((n-1)); local a=$r; fib $((n-2)); r=$((a+r)); fi; }; fib 15; echo $r
%%
i=0; while [ $i -lt 1000 ]; do i=$((i+1)); done; echo $i
%%
getopts 2>&1; echo $?; f() { OPTIND=1; while getopts ab o "$@"; do echo $o; done; }; f -a -b; f -ab; set -- -a -- -b; while getopts ab o; do echo "$o $OPTIND"; done; echo $OPTIND $o; shift $((OPTIND-1)); echo $@
