read 1a </dev/null
%%
printf %d abc
%%
printf "%s-%d %5.2f|%-5s|%x %c %b\n" a 12 3.14159 ab 255 xyz "a\tb"
%%
echo -e "a\tb\c"; echo -n x; echo -en "y\n"; echo -x; echo "a\tb"; echo -e '\0101\x41\e[0m\\'; echo -nn a; echo -E 'a\n'; echo -neE 'x\n'
%%
read; echo $?; read -t 0.1 x; echo $?
%%
echo "a   b"   c | cat; echo a b | { read x y; echo $y $x; }; echo $x
%%
echo a | (cat; echo b) | cat; (echo c; exit 4) | cat; echo $?; echo d | while read l; do echo "got $l"; done
%%
printf '%s\n' "$(printf 'a\n\n\n')" end; printf "%s" "$(echo)"; echo "[$(true)]"; echo $(printf 'a\nb'); IFS=; echo $(printf 'a\nb')
%%
exec 3<a.txt; read x <&3; read y <&3; echo $x $y; exec 3<&-; exec 4>&1; (echo to4 >&4); exec 4>&-; echo x >&4
%%
echo -; echo --; echo -n; echo -nx; echo -e; echo a -n; printf -- '-%s\n' a; printf '%s' -- ; echo; printf '\\n%s\n' a
%%
echo 'a
b' | while read x; do echo "[$x]"; done; printf 'a\nb' | while read x; do echo "[$x]"; done; echo "end [$x]"; printf 'x' | (read a; echo $?$a)
