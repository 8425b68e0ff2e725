//! What an entry in the list of columns says, and how a list becomes a row type and an enum of its columns.
//!
//! The lists themselves are in `rows`: each column is one entry there, and whoever needs its name, type, unit or meaning
//! (the writer, the readers, Parquet, the gate, the documentation) asks the enum.

use std::fmt;

use serde::{Serialize, de::DeserializeOwned};

use crate::{decimal::Decimal, rows::RunName};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A word: a name, a cause, a hash.
    Text,
    /// A whole number of 64 bits: a count, a seed, the number of a device.
    Integer,
    /// A number with six decimals: a measure with a unit, or a share.
    Decimal,
}

/// A column of a table: an enum that has one variant a column, in the order of the file.
pub trait Column: Copy + Eq + fmt::Debug + 'static {
    /// A line of the table.
    type Row: Row;
    /// The file's name in a results directory.
    const FILE: &'static str;
    /// The most rows that are read: what a report can hold in memory.
    const ROWS_MAX: u64;
    /// Every column, in the order of the file.
    const ALL: &'static [Self];
    /// The number of stable columns. They come first, and every file has them; of the others an earlier version may have
    /// written fewer.
    const STABLE: usize;

    /// Returns the place of the column in [`Column::ALL`].
    fn place(self) -> usize;
    /// Returns the name in the file.
    fn name(self) -> &'static str;
    /// Returns what it holds.
    fn kind(self) -> Kind;
    /// Returns whether a field may be empty: the run says nothing about it.
    fn is_optional(self) -> bool;
    /// Returns the unit; empty for words, counts and shares.
    fn unit(self) -> &'static str;
    /// Returns what it means, as Markdown.
    fn meaning(self) -> &'static str;

    /// Returns what no run can have measured, in a row with these numbers; `None` where there is no such thing.
    fn contradiction(_number: &dyn Fn(Self) -> Option<f64>) -> Option<String> {
        None
    }

    /// Returns the column of that name, if there is one.
    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|column| column.name() == name)
    }
}

/// A line of a table. Its fields are the columns, and their order is that of the file.
pub trait Row: Serialize + DeserializeOwned + Default {
    /// Returns whether the row belongs to that run.
    fn is_of(&self, name: &RunName) -> bool;
}

/// What the type of a field says about its column.
pub(crate) trait Field {
    const KIND: Kind;
    const IS_OPTIONAL: bool = false;
}

impl Field for String {
    const KIND: Kind = Kind::Text;
}

impl Field for u32 {
    const KIND: Kind = Kind::Integer;
}

impl Field for u64 {
    const KIND: Kind = Kind::Integer;
}

impl Field for Decimal {
    const KIND: Kind = Kind::Decimal;
}

impl<T: Field> Field for Option<T> {
    const KIND: Kind = T::KIND;
    const IS_OPTIONAL: bool = true;
}

/// Makes the row type and the enum of its columns from a list. An entry is the meaning as a doc comment, the name, the type
/// and, in brackets, the unit. The function after `refused by` is [`Column::contradiction`].
macro_rules! columns {
    (
        $(#[$about:meta])*
        $row:ident with $column:ident in $file:literal, at most $rows_max:literal rows, stable to $last:ident
        $(, refused by $contradiction:path)?:
        $($(#[doc = $meaning:literal])+ $name:ident: $type:ty $([$unit:literal])?,)+
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub struct $row {
            $($(#[doc = $meaning])+ pub $name: $type,)+
        }

        #[doc = concat!("A column of `", $file, "`, by its name there.")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[allow(non_camel_case_types, reason = "a column has one name, in files and in code")]
        pub enum $column {
            $($(#[doc = $meaning])+ $name,)+
        }

        impl Column for $column {
            type Row = $row;
            const FILE: &'static str = $file;
            const ROWS_MAX: u64 = $rows_max;
            const ALL: &'static [Self] = &[$(Self::$name,)+];
            const STABLE: usize = Self::$last as usize + 1;

            fn place(self) -> usize {
                self as usize
            }

            fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            fn kind(self) -> Kind {
                match self { $(Self::$name => <$type as Field>::KIND,)+ }
            }

            fn is_optional(self) -> bool {
                match self { $(Self::$name => <$type as Field>::IS_OPTIONAL,)+ }
            }

            fn unit(self) -> &'static str {
                match self { $(Self::$name => concat!($($unit)?),)+ }
            }

            fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($meaning),+).trim_start(),)+ }
            }

            $(
                fn contradiction(number: &dyn Fn(Self) -> Option<f64>) -> Option<String> {
                    $contradiction(number)
                }
            )?
        }

        impl Row for $row {
            fn is_of(&self, name: &RunName) -> bool {
                (&self.scenario, &self.strategy, self.seed) == (&name.scenario, &name.strategy, name.seed)
            }
        }
    };
}

pub(crate) use columns;
