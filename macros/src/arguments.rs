//! What stands in the brackets of the attribute: `name = expression`, each at most once.

use syn::{
    Error, Expr, Ident, Result, Token,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
};

/// The arguments, as they were written.
#[derive(Default)]
pub(crate) struct Arguments {
    pub(crate) scenario: Option<Expr>,
    pub(crate) seeds: Option<Expr>,
    pub(crate) servers: Option<Expr>,
    pub(crate) guests: Option<Expr>,
}

struct Argument {
    name: Ident,
    value: Expr,
}

impl Parse for Argument {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name: Ident = input.parse().map_err(|error| Error::new(error.span(), form()))?;
        input.parse::<Token![=]>().map_err(|error| Error::new(error.span(), form()))?;
        Ok(Self { name, value: input.parse()? })
    }
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut arguments = Self::default();
        for Argument { name, value } in Punctuated::<Argument, Token![,]>::parse_terminated(input)? {
            let place = match name.to_string().as_str() {
                "scenario" => &mut arguments.scenario,
                "seeds" => &mut arguments.seeds,
                "servers" => &mut arguments.servers,
                "guests" => &mut arguments.guests,
                _ => {
                    let message =
                        format!("`{name}` is no argument: there are `scenario`, `seeds`, `servers`, `guests`");
                    return Err(Error::new(name.span(), message));
                }
            };
            if place.replace(value).is_some() {
                return Err(Error::new(name.span(), format!("`{name}` is there twice")));
            }
        }
        Ok(arguments)
    }
}

fn form() -> &'static str {
    "arguments are written `name = value`: `#[cardiogram::test(scenario = \"silent-nat\", seeds = 3, servers = serve)]`"
}
