kill
%%
kill -FOO 1
%%
kill 99999999
%%
trap x FOO
%%
trap "echo bye" EXIT; exit 3
%%
sleep 0.1 & wait $!; echo $?; false & wait $!; echo $?; wait; echo $?
%%
kill abc; kill -l 99; printf; printf "%z"; printf "%d\n" 1x
%%
wait abc; echo $?; exit 1 2
%%
trap "" INT; trap; trap 2; trap
%%
f() { trap "echo ret" EXIT; }; f; echo x
%%
(trap "echo sub" EXIT; exit 3); echo $?
%%
echo one; nope | cat; echo $?; echo two | nope; echo $?; nope & wait $!; echo $?
%%
f() { echo a; }
f | f; f && f || echo no; f & wait
%%
x='a
b'; echo $x; echo "$x"; set | grep ^x=; y="it's"; set | grep ^y; export y; export -p | grep ' y='; trap "echo 'q'" USR1; trap
%%
trap 'echo exit $?' EXIT; false
%%
trap 'echo err; exit 7' EXIT; exit 1
%%
a=1; f() { echo func $a $1 $2; return 3; }; set -- P Q; false; x=$(f $1; echo $?); echo "$x"; (f 1 2; echo "$@" $# $0); { f a; } | cat; f b | cat; f c & wait $!; echo $?
