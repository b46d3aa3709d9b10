//! What is read, what is said of what is not, and that what is printed is read as the same.

mod forms;
mod random;
mod wrong;
