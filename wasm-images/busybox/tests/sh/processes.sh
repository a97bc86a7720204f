( exit 3 ); echo $?
%%
f() { return 5; }; f; echo $?
%%
f() { echo $a; }; a=1; a=2 f; echo $a
%%
true | false; echo $?; set -o pipefail; false | true; echo $?
%%
f() { local x=1 y; echo "$x<$y>"; local x; echo $x; }; y=3; f; echo $x $y
%%
f() { echo $1; shift; echo $#; return; }; f 1 2; echo $?
%%
echo a > x1; cat < x1; set -C; echo b > x1; echo b >| x1; cat x1; echo c >> x1; cat x1
%%
exec 3>x2; echo hi >&3; exec 3>&-; cat x2; echo foo >&3; echo more
%%
x=$(echo a; echo b; echo); echo "[$x]"; y=`echo \`echo nested\``; echo $y; echo "$(echo "a  b")"; z=$(false); echo $?; z=$(exit 7) ; echo $?
%%
(x=1; echo $x; (x=2; echo $x); echo $x); echo "[$x]"; { x=3; }; echo $x
%%
f() { echo "$@"; }; f a "b c" ''; f; g() { echo $#; }; g "$@"; g ""; set -- ; g "$@"; g $@
%%
x=1; { x=2; echo $x; } > out; cat out; echo $x; { echo a; echo b >&2; } 2>/dev/null; if true; then echo t; fi > out2; cat out2
%%
f() (echo sub; exit 2); f; echo $?; g() if true; then echo g; fi; g; h() { echo h; } >&2; h 2>&1
%%
if false; then echo 1; elif true; then echo 2; else echo 3; fi; if false; then :; fi; echo $?; ! false | true; echo $?; ! true; echo $?
%%
echo 'echo script $0 $# "$@"; exit 4' > s; sh ./s 1 "2 3"; echo $?; sh s; sh -c 'echo $0 $1' a b; echo 'echo x' | sh; echo 'echo $1' | sh -s arg
%%
x=5; x+=6; echo $x; y+=a; echo $y; x=a; x+=b echo ok; f() { x+=c; }; f; echo $x
%%
echo $(echo $(echo $(echo deep))); echo `echo "a b"`; x=`echo '$y'`; echo $x; echo "`echo \"q\"`"; echo `echo \\\\a`
%%
exit_f() { exit 9; }; (exit_f); echo $?; x=$(exit_f); echo $?; exit_f; echo no
%%
f() { for i in 1 2; do return $i; done; }; f; echo $?; f() { while :; do (return 5); return $?; done; }; f; echo $?
%%
for i in 1 2 3; do (continue; echo no); echo $i; break; done; for i in a b; do for j in 1 2; do continue 2; done; done; echo $i$j
%%
echo $LINENO
echo $LINENO; f() { echo $LINENO
echo $LINENO; }
f
%%
case x in esac; echo $?; case x in (x) echo p;; esac; case x in x) esac; case "a b" in "a b") echo q;; esac; case a in [b) echo z;; *) echo star;; esac
%%
( echo a
echo b ) | { cat; }
! ( exit 1 ) && echo neg
%%
echo foo > "a b"; cat "a b"; cat 'a b' | cat - a.txt; f="a b"; cat "$f"; cat $f; echo x > $f
%%
function f() { echo kw; }; f; function g { echo $1; }; g x
%%
f() { local a=1 b; local c=$a; echo $a $b $c; g; }; g() { echo "g $a"; a=2; echo $a; }; a=0; f; echo $a
%%
f() { return; }; false; f; echo $?; g() { false; return; }; g; echo $?; h() { false; true; return $?; }; h; echo $?
%%
echo $(case x in x) echo in;; esac) $(case y in (y) echo par;; esac)
%%
echo "a$(echo "b$(echo "c")")" `echo "d \`echo e\`"` "`echo "f"`" $(echo '$x')
%%
(exit 5); echo $?; (exit 5) | (exit 6); echo $?; { exit 7; } | cat; echo $?; exit $(echo 8)
%%
f() { exit 3; }; (f); echo $?; { f; }; echo no
%%
x=outer; f() { x=inner; local x=loc; echo $x; g; }; g() { echo "g:$x"; x=g; }; f; echo $x
%%
f() { local IFS=:; set -- $1; echo $#; }; f a:b:c; x="a b"; set -- $x; echo $#; f() { shift; echo "$@"; }; set -- 1 2; f a b; echo $@
%%
exec 3>&1 4>&2; echo to3 >&3; echo to4 >&4 2>/dev/null; { echo out; echo err >&2; } 3>/dev/null 2>&1 | cat; { echo a >&3; } 3>f3; cat f3; exec 3>&-; echo x 2>/dev/null >&3; echo $?
%%
eval 'echo "$1"' a; set -- b; eval 'echo $1; set -- c'; echo $1; eval "f() { echo evald; }"; f; eval 'for i in 1 2; do' 'echo $i; done'; x='echo "a b"'; eval $x; $x; eval 'exit 3'; echo no
%%
x=a; case $x in [[:alpha:]]) echo alpha;; esac; case "a b" in a\ b) echo esc;; esac; case '' in '') echo empty;; esac; case "$x" in b|[!b]) echo notb;; esac; case \* in "*") echo star;; esac; case a.b in *.*) echo dot;; esac; p='[ab]'; case a in $p) echo pat;; esac; case '[ab]' in "$p") echo lit;; esac
%%
f() { echo "$0 $1 $#"; }; f x y; (f z); $(echo f) w; "f" v; \f u; x=f; $x t; command f 2>/dev/null; echo $?
%%
$(echo echo hi); `echo true`; $(true); echo $?; $(false); echo $?; $(exit 5) ; echo $?; x=$(exit 6) ; echo $?; $(echo exit 3); echo no
%%
echo $(echo a; exit 3) $?; true $(exit 4); echo $?; x=1 $(exit 4); echo $?; x=$(echo v; exit 4); echo $? $x; y=$(exit 5) true; echo $?; > f$(exit 6); echo $?
%%
{ { echo deep; } ; }; ( ( echo deeper ) ); ((echo arith?) 2>/dev/null); (echo a;echo b)|{ cat;}; {	echo tab; }
%%
a=b;echo $a;b=c d=e;echo $b$d;if :;then echo t;fi;for i in a;do echo $i;done;case a in a)echo c;esac;f(){ echo f;};f;(echo s);!  false;echo $?
%%
echo a && 
echo b ||
echo c; echo d |
cat; echo e &&

echo f
%%
if true
then
 echo a

else
 echo b
fi; case x
in
x)
 echo c
 ;;
esac
for i
in 1
do
echo $i
done
f ()
{
echo g
}
f
%%
f() echo a
%%
a() { b() { echo inner; }; }; a; b; a=1; a; echo $a
%%
set -a; x=allexported; env | grep ^x=; set +a; y=no; env | grep ^y=; echo $?
%%
set -C; : > c1; : > c1; echo $?; echo x > /dev/null; echo y >| c1; cat c1; : >> c1
