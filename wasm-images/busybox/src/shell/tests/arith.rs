//! Arithmetic: values and messages as ash gives them.

use crate::shell::arith::{Variables, evaluate};
use std::collections::BTreeMap;

struct Fake(BTreeMap<String, String>);

impl Variables for Fake {
    fn value(&mut self, name: &str) -> Result<Option<String>, String> {
        Ok(self.0.get(name).cloned())
    }
    fn assign(&mut self, name: &str, value: i64) -> Result<(), String> {
        self.0.insert(name.to_owned(), value.to_string());
        Ok(())
    }
}

#[test]
fn expressions_have_the_values_that_c_gives_them() {
    for (expression, want) in [
        ("", "0"),
        ("1+2*3", "7"),
        ("(1+2)*3", "9"),
        ("7/2", "3"),
        ("-7/2", "-3"),
        ("-7%3", "-1"),
        ("2**10", "1024"),
        ("2**3**2", "512"),
        ("1<<3|1", "9"),
        ("5>3", "1"),
        ("5<=3", "0"),
        ("1<2==1", "1"),
        ("0x1f", "31"),
        ("017", "15"),
        ("2#101", "5"),
        ("36#z", "35"),
        ("!5", "0"),
        ("~0", "-1"),
        ("- -5", "5"),
        ("--5", "5"),
        ("1?2:3", "2"),
        ("0?2:3?4:5", "4"),
        ("1,2,3", "3"),
        ("0&&1/0", "0"),
        ("1||1/0", "1"),
        ("1?5:1/0", "5"),
        ("x=5", "5"),
        ("x=5,x+=3,x", "8"),
        ("x=5,x++ + ++x", "12"),
        ("x=3,x<<=2", "12"),
        ("a=b=4,a*b", "16"),
        ("y+1", "8"),
        ("z", "7"),
        ("w*3", "9"),
        ("undefined", "0"),
        ("x = 1 , x == 1", "1"),
        ("0&&(q=1),q", "0"),
        ("9223372036854775807+1", "-9223372036854775808"),
        ("-9223372036854775807-1", "-9223372036854775808"),
        (" 1 + 1 ", "2"),
        ("1/0", "divide by zero"),
        ("1%0", "divide by zero"),
        ("2**-1", "exponent less than 0"),
        ("1+", "arithmetic syntax error"),
        ("5 5", "arithmetic syntax error"),
        ("08", "arithmetic syntax error"),
        ("(1", "arithmetic syntax error"),
        ("1=2", "arithmetic syntax error"),
        ("1?2", "malformed ?: operator"),
        ("loop", "expression recursion loop detected"),
        ("a b", "arithmetic syntax error"),
        ("$", "arithmetic syntax error"),
    ] {
        let mut variables = Fake(
            [("y", "7"), ("z", "y"), ("w", "1+2"), ("loop", "loop")]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into(),
        );
        let got = evaluate(expression, &mut variables).map_or_else(|e| e, |v| v.to_string());
        assert_eq!(got, want, "{expression}");
    }
}

#[test]
fn deep_expressions_are_refused() {
    let mut variables = Fake(BTreeMap::new());
    for open in ["(", "-", "1?", "!"] {
        assert!(evaluate(&open.repeat(100_000), &mut variables).is_err());
    }
    assert_eq!(
        evaluate(
            &"1+".repeat(10_000).chars().chain("1".chars()).collect::<String>(),
            &mut variables
        ),
        Ok(10_001)
    );
}
