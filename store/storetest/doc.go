// Package storetest owns the contract of the store: what every database must do
// for the rooms' interfaces, races included ([Run]), and databases to test on.
//
// It never reaches into the store: what it asks for, any store must give.
package storetest
