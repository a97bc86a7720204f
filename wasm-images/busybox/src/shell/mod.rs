//! The shell.
mod ast;
mod codec;
mod lexer;
mod parser;
mod pattern;
mod text;
mod word;
#[cfg(test)]
mod tests;
