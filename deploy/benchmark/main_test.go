package benchmark

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
)

// What the program is told.
var (
	role     = flag.String("role", "", "figures, or what they are measured against: bare-check, bare-introspect, bare-login or bare-passkey; none: run the tests")
	dilys    = flag.String("dilys", "", "figures: the service, built for release")
	dilysDev = flag.String("dilys-dev", "", "figures: dilys-dev")
	only     = flag.String("only", "", "figures: a regular expression for those to measure; empty: all")

	listen   = flag.String("listen", "", "bare: the address to answer on")
	database = flag.String("database", "", "bare: the SQLite file")
	issuer   = flag.String("issuer", "", "bare-login: the provider")
	key      = flag.String("key", "", "bare-login: the PEM file of the client's key")
	callback = flag.String("callback", "", "bare-login: the redirect URI")
)

func TestMain(m *testing.M) {
	flag.Parse()
	play, known := map[string]func(context.Context) error{
		"figures": figures, "bare-check": bareCheck, "bare-login": bareLogin, "bare-passkey": barePasskey, "bare-introspect": bareIntrospect,
	}[*role]
	if !known {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := play(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}
