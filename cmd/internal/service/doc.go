// Package service switches Dilys on: it reads the configuration, builds the rooms
// in floor order, and runs them until it is told to stop.
//
// It is shared by the commands dilys and dilys-dev. It reaches no simulator and
// no stand-in; whoever wants one adds it from outside.
package service
