//! SQLite: one file, one writer, durable before it answers.
