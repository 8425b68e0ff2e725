//! The program `cardiogram` as its users run it: commands, files, messages, exit codes; and input that is damaged. One file a
//! command or a concern. The documentation is held to the program in `tests/docs`.

mod any_input;
mod browser;
mod cli;
mod cluster;
mod disk;
mod fuzz_corpus;
mod gate;
mod gate_cases;
mod merge;
mod pandas;
mod series;
mod sweep;
mod together;
mod trace_export;
mod usage;
mod writing;
