// Package benchmark owns the figures that deploy/bench prints: what the service
// costs, each beside the least work that could give the same, in one run on one
// machine.
//
// Its test binary is three programs. With -role figures it runs the real binaries
// and measures them; with -role bare-check and its like it is what they are
// measured against. Without a role it tests its own arithmetic: no ordinary test
// run measures anything.
package benchmark
