foo
%%
cd /x
%%
done
%%
if true
%%
echo "abc
%%
echo $((
%%
echo $(foo
%%
echo `foo
%%
for 1a in x; do :; done
%%
1a() { :; }
%%
echo ${x!y}
%%
echo ${}
%%
echo a
foo
bar
%%
. /nonexist
%%
. nonexist
%%
set -u; echo $x
%%
echo ${x:?}
%%
echo ${x?msg here}
%%
readonly x=1; x=2
%%
readonly x=1; unset x
%%
echo $((1/0))
%%
echo $((1+))
%%
echo $((08))
%%
set -Z
%%
export 1a=3
%%
local x=1
%%
exit abc
%%
kill %1
%%
wait %3
%%
wait 99999
%%
getopts
%%
test 1 -eq
%%
[ 1 -eq 1
%%
test a -eq 1
%%
let
%%
/etc/passwd
%%
/tmp
%%
./nonexist
%%
exec nonexist
%%
exec /etc/passwd
%%
cd a b c
%%
while
%%
case x in
%%
a & & b
%%
;;
%%
(
%%
)
%%
{ echo
%%
}
%%
echo )
%%
f() {
%%
! 
%%
| a
%%
a |
%%
a &&
%%
a || ; b
%%
> 
%%
for x in a b; echo
%%
echo ${x
%%
echo "${x"
%%
echo $'a
%%
eval "echo )"; echo b
%%
cat <<< abc
%%
foo-bar() { :; }
%%
echo $((1 ? 2))
%%
x=x; echo $((x))
%%
echo $((5 5))
%%
command foo
%%
read -n 2 x <<E
abcd
E
echo $x; read -d x y <<E
abxcd
E
echo $y; read -z
%%
readonly a=1; readonly -p; readonly; unset -f x; unset -v x; unset -z
%%
set -- a b c; shift 2; echo $@; shift -1
%%
shift a
%%
exec 2>&1; nonexist; echo $?; ./a.txt; echo $?; /tmp; echo $?; exec nonexist; echo no
%%
set -u; echo ${x-ok}; echo $1; echo no
%%
readonly r=1; r=2; echo no
%%
readonly r=1; (r=2); echo $?; r=3 true; echo no
%%
: $(echo side >&2); : ${u?}; echo no
%%
echo a;;echo b
%%
if; then
%%
for
%%
{ echo a; }; {echo b; }
%%
echo ${x:=a b} $x "${x}" ; echo ${y=c} ; echo ${1:=z}; echo no
%%
x=010; echo $((x)) $((10#$x)) ; y=" 5 "; echo $((y+1)); z=; echo $((z+1)); echo $((x y))
%%
set -e; . ./nofile; echo no
%%
test -n "$UNSET" || echo unset; test "$UNSET" = "" && echo empty; [ "a" != "b" ] && echo ne; [ -z "" -a -n "x" ] && echo and; [ 3 -ne 4 ] && [ 4 -ge 4 ] && [ 4 -le 4 ] && echo cmp; [ "(" = "(" ] && echo paren; [ ! "" ] && echo notempty; [ a = a -o b = c -a d = e ] && echo prec; test 1 -eq 1x
%%
exec 2>/dev/null; nofile; exec nofile; echo no
%%
for((i=0;i<2;i++)); do echo $i; done
%%
select x in a; do :; done
%%
echo a | ; echo b
%%
f() { echo a
%%
case x in x) echo a
%%
for i in a; do echo $i; 
%%
while true; do echo a; 
%%
echo "unterminated
%%
echo ${a b}
%%
unset f; f=1; f() { echo func; }; unset f; echo [$f]; f; readonly f; f=2
