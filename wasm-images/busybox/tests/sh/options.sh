set -x; a=1 b="x y"; echo "a b" $a; for i in 1 2; do :; done; [ a = b ]; f() { echo in; }; f; case a in a) ;; esac; x=1 true >/dev/null; echo "it's" '$x' a=b
%%
set -e; false; echo no
%%
set -e; f() { false; echo no; }; f || echo caught
%%
set -u; echo "$@" $#; : ${y:=def}; echo $y; echo $((zz)); echo no
%%
set -- a b c d e f g h i j k; echo $10 ${10} ${11}; shift 3; echo $1 $#; set -- -a -b; echo $1; set -e -- x; echo $1 $-
%%
set -e; x=$(false); echo no
%%
set -e; x=$(false) || echo caught; false && echo no; echo here; if ! false; then echo neg; fi; f() { false; }; f && echo no; echo end; f; echo no
%%
set -e; while false; do :; done; until true; do :; done; for i in; do :; done; case x in y) ;; esac; echo ok; { false; } || true; (exit 3); echo no
%%
set -e; echo a | false; echo no
%%
set -e; eval false; echo no
%%
set -ex; x=1; [ $x = 2 ]; echo no
