//go:build race

package service_test

// Crowds are smaller where each step is watched for races.
const (
	crowdSize  = 60
	randomKeys = 20
)
