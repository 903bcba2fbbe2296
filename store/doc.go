// Package store owns the database, which is the truth: SQLite or PostgreSQL, with
// one SQL, one set of migrations and one meaning for both. It seals what is
// personal, answers equality from blind indexes, and carries a transaction in the
// context so that the rooms' Store methods join it.
//
// It never decides anything about a patient: the rooms' interfaces say what is
// asked, and their comments are its specification. It speaks to no network but
// the database's, and keeps no clock.
package store
