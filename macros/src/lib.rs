//! The attribute `#[cardiogram::test]`, which the crate `cardiogram` re-exports: `cardiogram::net::test`, spelled as a test.

mod arguments;
mod expand;

use proc_macro::TokenStream;

/// Makes a test of a program that runs in a scenario, or of what a scenario makes of guests.
///
/// An `async fn` is the program of every device. It has to come to its end before the run does, in each of the runs; where it panics,
/// or returns an error, the test has failed. It returns nothing, or a `Result`.
///
/// ```ignore
/// #[cardiogram::test(scenario = "silent-nat", seeds = 3, servers = serve)]
/// async fn an_echo_comes_back_within_a_second(machine: Machine) -> io::Result<()> {
///     let mut stream = machine.connect(machine.server(0)).await?;
///     stream.write_u8(1).await?;
///     let echo = timeout(Duration::from_secs(1), stream.read_u8()).await?;
///     assert_eq!(echo?, 1);
///     Ok(())
/// }
/// ```
///
/// A `fn` judges the outcome of each run of guests that are there already.
///
/// ```ignore
/// #[cardiogram::test(scenario = "silent-nat", seeds = 3, guests = my_guests())]
/// fn the_nat_never_forgets_the_client(outcome: &Outcome) {
///     assert!(outcome.episodes.is_empty());
/// }
/// ```
///
/// | Argument | What | Default |
/// |---|---|---|
/// | `scenario` | The scenario: a built-in one by its name, or a file by its path, which begins with a dot or has a slash in it | |
/// | `seeds` | How many runs: those of the seeds 1 to this. The first is run twice, and has to be the same again | 1 |
/// | `servers` | Of an `async fn`: the program of the servers, a function of the `Machine` | |
/// | `guests` | Of a `fn`: the programs of devices and servers, `Guests` | |
///
/// Each is an expression. Other attributes of the function, `#[ignore]` for instance, are the test's.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, function: TokenStream) -> TokenStream {
    expand::test(arguments.into(), function.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}
