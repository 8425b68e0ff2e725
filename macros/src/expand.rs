//! From a function to its test. What is wrong with it is an error that says what to write instead.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Attribute, Error, Expr, FnArg, ItemFn, Result, ReturnType, parse2};

use crate::arguments::Arguments;

/// Returns the test that an attribute with these arguments makes of a function.
pub(crate) fn test(arguments: TokenStream, function: TokenStream) -> Result<TokenStream> {
    let mut function: ItemFn = parse2(function).map_err(|error| {
        let message =
            "`#[cardiogram::test]` stands before `async fn name(machine: Machine)` or `fn name(outcome: &Outcome)`";
        Error::new(error.span(), message)
    })?;
    let arguments: Arguments = parse2(arguments)?;
    let attributes = std::mem::take(&mut function.attrs);
    if let Some(second) = attributes.iter().find(|attribute| makes_test(attribute)) {
        let message = "leave this out: `#[cardiogram::test]` makes a test of the function by itself";
        return Err(Error::new_spanned(second, message));
    }
    if !function.sig.generics.params.is_empty() {
        let message = "a test is called by nobody who could choose these: write the types themselves";
        return Err(Error::new_spanned(&function.sig.generics, message));
    }
    let Some(scenario) = &arguments.scenario else {
        let message = "where does it run? `#[cardiogram::test(scenario = \"silent-nat\", ...)]` names a scenario; \
                       `cardiogram list scenarios` has them";
        return Err(Error::new_spanned(&function.sig.ident, message));
    };
    let seeds = arguments.seeds.as_ref().map_or_else(|| quote!(1), ToTokens::to_token_stream);
    let body = if function.sig.asyncness.is_some() {
        let servers = servers(&function, &arguments)?;
        let name = &function.sig.ident;
        quote! {
            let guests = ::cardiogram::net::Guests::new()
                .device_tests(|machine| async move { ::cardiogram::net::Ending::into_result(#name(machine).await) })
                .servers(#servers);
            ::cardiogram::net::test(#scenario, #seeds, &guests);
        }
    } else {
        let guests = guests(&function, &arguments)?;
        let name = &function.sig.ident;
        quote!(::cardiogram::net::test_each(#scenario, #seeds, &#guests, #name);)
    };
    let name = &function.sig.ident;
    Ok(quote! {
        #(#attributes)*
        #[::core::prelude::v1::test]
        fn #name() {
            #function
            #body
        }
    })
}

/// Returns the program of the servers, for a function that is the devices'.
fn servers<'a>(function: &ItemFn, arguments: &'a Arguments) -> Result<&'a Expr> {
    let name = &function.sig.ident;
    if let Some(guests) = &arguments.guests {
        let message = format!(
            "an `async fn` is the devices' program itself: give it the servers' by `servers = serve`, or judge guests that are \
             there already by `fn {name}(outcome: &Outcome)`"
        );
        return Err(Error::new_spanned(guests, message));
    }
    takes_one(function, "the program of every device is handed its host", "machine: Machine")?;
    arguments.servers.as_ref().ok_or_else(|| {
        let message = "who answers? `servers = serve` names the program of the servers, an `async fn serve(machine: Machine) -> \
                       cardiogram::net::Result`";
        Error::new_spanned(name, message)
    })
}

/// Returns the guests, for a function that judges what becomes of them.
fn guests<'a>(function: &ItemFn, arguments: &'a Arguments) -> Result<&'a Expr> {
    let name = &function.sig.ident;
    let Some(guests) = &arguments.guests else {
        let message = format!(
            "a test is the program of every device, `async fn {name}(machine: Machine)`, or judges guests that are there already, \
             `fn {name}(outcome: &Outcome)` with `guests = my_guests()`"
        );
        return Err(Error::new_spanned(function.sig.fn_token, message));
    };
    if let Some(servers) = &arguments.servers {
        let message = "guests have their servers already: leave `servers` out";
        return Err(Error::new_spanned(servers, message));
    }
    takes_one(function, "the judge of a run is handed its outcome", "outcome: &Outcome")?;
    if let ReturnType::Type(_, returned) = &function.sig.output {
        let message = "the judge of a run asserts, and returns nothing";
        return Err(Error::new_spanned(returned, message));
    }
    Ok(guests)
}

fn takes_one(function: &ItemFn, why: &str, what: &str) -> Result<()> {
    let signature = &function.sig;
    if signature.inputs.len() == 1 && matches!(signature.inputs.first(), Some(FnArg::Typed(_))) {
        return Ok(());
    }
    let asyncness = if signature.asyncness.is_some() { "async " } else { "" };
    let message = format!("{why}: write `{asyncness}fn {}({what})`", signature.ident);
    Err(Error::new_spanned(signature, message))
}

/// Returns whether an attribute makes a test of a function too: `#[test]`, `#[tokio::test]`.
fn makes_test(attribute: &Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|last| last.ident == "test")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(arguments: &str, function: &str) -> std::result::Result<String, String> {
        let parsed = |text: &str| text.parse().expect("tokens");
        test(parsed(arguments), parsed(function)).map(|test| test.to_string()).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn assert_refused(arguments: &str, function: &str, message: &str) {
        let error = expanded(arguments, function).expect_err("refused");
        assert!(error.contains(message), "{error}");
    }

    const PROGRAM: &str = "async fn holds(machine: Machine) {}";
    const JUDGE: &str = "fn holds(outcome: &Outcome) {}";
    const WITH_SERVERS: &str = "scenario = \"silent-nat\", servers = serve";
    const WITH_GUESTS: &str = "scenario = \"silent-nat\", guests = ours()";

    #[test]
    fn a_program_is_run_on_every_device_and_a_judge_is_handed_every_outcome() {
        let expected = quote! {
            #[ignore]
            #[::core::prelude::v1::test]
            fn holds() {
                async fn holds(machine: Machine) {}
                let guests = ::cardiogram::net::Guests::new()
                    .device_tests(|machine| async move { ::cardiogram::net::Ending::into_result(holds(machine).await) })
                    .servers(serve);
                ::cardiogram::net::test("silent-nat", 1, &guests);
            }
        };
        assert_eq!(expanded(WITH_SERVERS, &format!("#[ignore] {PROGRAM}")), Ok(expected.to_string()));
        let expected = quote! {
            #[::core::prelude::v1::test]
            fn holds() {
                fn holds(outcome: &Outcome) {}
                ::cardiogram::net::test_each("silent-nat", 20, &ours(), holds);
            }
        };
        assert_eq!(expanded(&format!("{WITH_GUESTS}, seeds = 20"), JUDGE), Ok(expected.to_string()));
    }

    #[test]
    fn what_is_missing_is_named_as_it_is_to_be_written() {
        assert_refused(
            "servers = serve",
            PROGRAM,
            "`#[cardiogram::test(scenario = \"silent-nat\", ...)]` names a scenario",
        );
        assert_refused("scenario = \"silent-nat\"", PROGRAM, "`servers = serve` names the program of the servers");
        let forms = "`async fn holds(machine: Machine)`, or judges guests that are there already, `fn holds(outcome: &Outcome)` \
                     with `guests = my_guests()`";
        assert_refused("scenario = \"silent-nat\"", JUDGE, forms);
        assert_refused(WITH_SERVERS, "fn holds(machine: Machine) {}", forms);
        assert_refused(WITH_SERVERS, "async fn holds() {}", "write `async fn holds(machine: Machine)`");
        assert_refused(WITH_SERVERS, "async fn holds(&self) {}", "write `async fn holds(machine: Machine)`");
        assert_refused(WITH_GUESTS, "fn holds() {}", "write `fn holds(outcome: &Outcome)`");
    }

    #[test]
    fn what_does_not_go_together_is_refused_with_what_does() {
        assert_refused(WITH_GUESTS, PROGRAM, "give it the servers' by `servers = serve`, or judge guests");
        assert_refused(&format!("{WITH_GUESTS}, servers = serve"), JUDGE, "leave `servers` out");
        assert_refused(WITH_GUESTS, "fn holds(outcome: &Outcome) -> bool { true }", "asserts, and returns nothing");
        assert_refused(WITH_SERVERS, "#[tokio::test] async fn holds(machine: Machine) {}", "leave this out");
        assert_refused(WITH_SERVERS, "#[test] async fn holds(machine: Machine) {}", "leave this out");
        assert_refused(WITH_SERVERS, "async fn holds<T>(machine: Machine) {}", "write the types themselves");
        assert_refused(WITH_SERVERS, "struct Holds;", "stands before `async fn name(machine: Machine)`");
    }

    #[test]
    fn arguments_are_named_and_each_is_there_once() {
        let named =
            "written `name = value`: `#[cardiogram::test(scenario = \"silent-nat\", seeds = 3, servers = serve)]`";
        assert_refused("\"silent-nat\"", PROGRAM, named);
        assert_refused("scenario(\"silent-nat\")", PROGRAM, named);
        assert_refused(
            "seed = 3",
            PROGRAM,
            "`seed` is no argument: there are `scenario`, `seeds`, `servers`, `guests`",
        );
        assert_refused("seeds = 3, seeds = 4", PROGRAM, "`seeds` is there twice");
    }
}
