cat <<E
abc
%%
read a b <<E
 x  y z 
E
echo "<$a><$b>"
%%
cat <<-E
	a
	$((1+1)) `echo hi` \$x "q" 'q' \
joined
	E
cat <<'E'
$x `y` \z
E
%%
while read l; do echo "<$l>"; done < a.txt; while read -r l; do echo "<$l>"; done <<E
a\\b
c d
E
%%
echo "$(cat <<E
in sub
E
)"; cat <<A; cat <<B
a
A
b
B
echo done
%%
echo x | read v; echo "[$v]"; IFS= read -r l <<E
  spaced  
E
echo "[$l]"; IFS=: read a b c <<E
1:2:3:4
E
echo "$a|$b|$c"; read a b <<E
x\ y z
E
echo "$a|$b"
%%
cat <<"E E"
x
E E
cat <<\E
$y
E
cat <<E'F'
$z
EF
%%
cat <<A && echo ok <<B
1
A
2
B
%%
x=$(cat <<'E'
a ) b ( "
E
); echo "$x"
%%
read x y z <<E
a b c d e
E
echo "$x|$y|$z"; read x <<E
a\
b
E
echo $x; read -r x <<'E'
a\b
E
echo $x; IFS=, read a b <<E
1,2,3
E
echo "$a $b"; read x </dev/null; echo $? "[$x]"; printf 'no newline' | { read x; echo "$? $x"; }; echo "  a  b  " | { read x; echo "[$x]"; }; echo "a b" | { IFS= read x; echo "[$x]"; }
%%
echo a;# comment ; echo no
echo b # comment \
echo c
: <<E # comment
E
echo d
