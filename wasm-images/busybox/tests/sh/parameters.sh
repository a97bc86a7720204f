unset x; echo ${x-def} ${x:+alt} "${x:-"q r"}"
%%
echo "${x:-'a'}" ${x:-'a b'}
%%
x=1; unset x; echo ${x-unset}; f() { :; }; unset f; unset -f f; f; x=1 y=2; unset x y; echo $x$y.
%%
:; : a b; true x; false x; echo $?; ! :; echo $?; : ${x=assigned}; echo $x; : > f; : || echo no
%%
echo "${x:-$(echo default)}" ${y:-`echo bt`} "${z:-"a b"}" ${z:-"a b"} ${z:-a   b} "${z:-a   b}" "${z:+x}" ${x:+}; x=set; echo ${x:+"a  b"} "${x:+a  b}" ${x:+$x}
%%
x="$(echo "$(echo 'a"b')" )"; echo "$x"; echo "$(echo ')')" $(echo \)) $(echo ")"); echo "${y:-$(echo '}')}"
