// Package storetest owns the contract of the store: what every database must do
// for the rooms' interfaces, races included ([Run]), and databases to test on.
//
// The contract asks through the interfaces only, so that another store can be
// held to it.
package storetest
