cat < /nonexist
%%
echo > /nonexist/x
%%
echo >/proc
%%
shift 5
%%
set -o foo
%%
return 3
%%
break
%%
alias foo
%%
unalias foo
%%
echo <&9
%%
echo >&9
%%
for x; do echo $x; done
%%
echo $
%%
: > /nonexist/x; echo a
%%
echo {a,b}
%%
function foo { echo f; }; foo
%%
echo a &> /dev/null; echo b
%%
x="a:b::c"; IFS=:; set -- $x; echo $#; for i; do echo "<$i>"; done
%%
echo $0 $# $@
%%
echo a; exit; echo b
%%
exit 300
%%
a=1; a=2 eval 'echo $a'; echo $a
%%
a=5 export b; echo $a
%%
command cd /x; echo here
%%
getopts ab: x -a -b foo bar; echo $x $OPTARG $OPTIND; getopts ab: x -z; echo $x
%%
set -- -z; getopts a x; echo $x $OPTIND
%%
set -- -b; getopts b: x; echo $x $OPTIND
%%
while getopts abc:d o -ab -c foo -dcbar -- rest; do echo "$o $OPTARG $OPTIND"; done; echo $OPTIND $o
%%
while getopts :a:b o -a; do echo "$o $OPTARG"; done; while getopts :a:b o -x -b; do echo "$o $OPTARG"; done
%%
test a b; test a b c; test a = b c; [ -f ]; echo $?; [ ! ]; echo $?; test -z; echo $?; test \( ; echo $?
%%
test \( a; test -f a -a; test -q a; test a -a; test a -o b -a ''; echo $?; test ! ! a; echo $?
%%
break 3; continue; echo ok
%%
while :; do while :; do break 2; done; done; echo ok; for i in 1 2 3; do [ $i = 2 ] && continue; echo $i; done
%%
eval 'x=1; echo $x'; eval "echo a" "b"; eval; echo $?; eval false; echo $?; . ./a.txt; echo $?
%%
echo 'echo sourced $1; x=5; return 3' > s; . ./s arg; echo $? $x; set -- p q; . ./s; echo $1
%%
unset IFS; x=" a  b "; echo $x; IFS=; echo $x; IFS=" "; set -- $x; echo $#; IFS=:; x=":a::b:"; set -- $x; echo $#; IFS=", "; x="a , b,,c"; set -- $x; echo $#
%%
return 3; echo no
%%
export A=1 B; B=2; sh -c 'echo $A $B'; A=3 sh -c 'echo $A'; echo $A; unset A; sh -c 'echo [$A]'; C=5; sh -c 'echo [$C]'; export C; sh -c 'echo [$C]'; export -n C; sh -c 'echo [$C]'
%%
alias e='echo aliased'; e x
alias g='e y'
g; \e z; unalias e; e
%%
set -n; echo no
%%
for x in; do echo no; done; echo ok; for x in
do echo no; done
%%
# comment
echo a # comment
echo a#b "#c" \#d
#last
%%
exec > out; echo hidden; exec >&2; echo visible; cat out
%%
while true; do echo x; exit 4; done; echo no
%%
exec sh -c 'echo exec $0 $1' a b; echo no
%%
alias x='echo a' y=x z='x '; x; y
x 1; y 2
z y
alias foo='if true; then'; foo
foo echo aliased if; fi
unalias -a; alias
%%
x=$(
echo multi
# comment
echo line
); echo "$x"
%%
set -b; set -o notify; set +o notify; set -o nope; echo $?
