//! What the compiler says to an author whose handler has the wrong shape, to
//! the letter. `TRYBUILD=overwrite` rewrites the expectations.

#[test]
fn mistakes_are_told_in_the_authors_words() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/ok_*.rs");
    cases.compile_fail("tests/ui/err_*.rs");
}
