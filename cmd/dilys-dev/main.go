// Command dilys-dev is the service with everything around it that it needs to be
// tried: an NHS login simulator, an example portal, and a workbench with clock,
// outbox and faults. It answers on loopback only, and is a program of its own so
// that nothing it adds can be reached from dilys.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/dilys-id/dilys/cmd/internal/hashing"
)

// flags are what dilys-dev can be told.
type flags struct {
	Config           string `help:"A configuration file of your own, instead of the one that is made in --data." placeholder:"FILE" type:"existingfile"`
	Data             string `help:"Where configuration, keys and database are kept." default:".dilys-dev" type:"path"`
	Portal           string `help:"A redirect URI of a client of yours: it is registered, and what it needs is printed." placeholder:"REDIRECT_URI"`
	PortalLogout     string `help:"Where that client takes back-channel logout tokens." placeholder:"URI"`
	Gateway          string `help:"A host behind a gateway of yours, as browsers name it: it is checked, with rules for /leaflets/ and /results/." placeholder:"HOST[:PORT]"`
	SimulatorIssuer  string `help:"The issuer that the NHS login simulator calls itself." placeholder:"URL"`
	SimulatorClients string `help:"More clients of the simulator: YAML, [{client_id, key: FILE, redirect_uris, scopes, refresh: true}]." placeholder:"FILE" type:"existingfile"`
	Port             int    `help:"Dilys' port; the workbench, the simulator and the example portal take the next ones." default:"8080"`
	Verbose          bool   `help:"Show the service's log."`
}

func main() {
	if hashing.IsWorker() { // before anything else: it is another program in the same file
		os.Exit(hashing.RunWorker())
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, out, say io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	var f flags
	code := -1
	parser, err := kong.New(&f, kong.Name("dilys-dev"), kong.Writers(out, say), kong.Exit(func(asked int) { code = asked }),
		kong.Description("Dilys with simulators, workbench and an example portal, on loopback only."))
	if err == nil {
		_, err = parser.Parse(args)
	}
	switch {
	case code == 0: // --help was shown
		return 0
	case err != nil:
		_, _ = fmt.Fprintf(say, "dilys-dev: %v\n", err)
		return 2
	}
	if err := develop(ctx, f, out, say); err != nil {
		_, _ = fmt.Fprintf(say, "dilys-dev: %v\n", err)
		return 1
	}
	return 0
}
