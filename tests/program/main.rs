//! The program `cardiogram` as its users run it: commands, files, messages, exit codes; and input that is damaged. One file a
//! command or a concern. The documentation is held to the program in `tests/docs`.

mod any_input;
mod browser;
mod cli;
mod closed_pipe;
mod cluster;
mod disk;
mod foreign;
mod fuzz_corpus;
mod gate;
mod gate_cases;
mod halted;
mod killed;
mod merge;
mod pandas;
mod series;
mod shown;
mod sweep;
mod together;
mod trace_export;
mod usage;
mod writing;
