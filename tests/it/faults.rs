//! The faults that must be survived, each as one named test: after it the next request succeeds, nothing
//! panics, and the log names the fault.

mod f01;
mod f02;
mod f03;
mod f04;
mod f05;
mod f06;
mod f07;
mod f08;
mod f15;
mod f17;
mod f18;
mod recorded;
