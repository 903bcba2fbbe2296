package store_test

import (
	"testing"

	"github.com/dilys-id/dilys/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// databases is every kind of database that the store runs on.
var databases = map[string]func(testing.TB) string{
	"sqlite":   storetest.SQLite,
	"postgres": storetest.Postgres,
}

// onEach runs the test on a new migrated database of each kind.
func onEach(t *testing.T, test func(t *testing.T, url string)) {
	for name, open := range databases {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func TestContract(t *testing.T) {
	for name, open := range databases {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) storetest.Stores {
				return storetest.Of(storetest.Open(t, open(t), storetest.Keys(t), nil))
			})
		})
	}
}
