//go:build !race

package service_test

// How many log in at once (B14), and how many tokens name a key that nobody has (B4).
const (
	crowdSize  = 200
	randomKeys = 50
)
