// Command dilys is the service and the operators' commands around it.
//
// Results go to standard output, words about them to standard error. It exits
// with 0 when the thing is done, 1 when it was refused or failed, and 2 when the
// command itself was wrong.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/dilys-id/dilys/cmd/internal/hashing"
)

// Exit codes.
const (
	done   = 0
	failed = 1
	usage  = 2
)

// cli is every command of the program.
type cli struct {
	Config string `help:"The configuration file." placeholder:"FILE" type:"path"`

	Serve      serveCommand       `cmd:"" help:"Run the service."`
	Status     statusCommand      `cmd:"" help:"Show each dependency, what patients see now, and which line of the runbook helps."`
	Configure  configCommands     `cmd:"" name:"config" help:"Check or explain the configuration."`
	Providers  providerCommands   `cmd:"" help:"Test the services that prove who a patient is."`
	Keys       keyCommands        `cmd:"" help:"Make, list and rotate the sealing keys."`
	Migrate    migrateCommand     `cmd:"" help:"Bring the database to this version."`
	Register   registerCommands   `cmd:"" help:"Load the index of patients."`
	Accounts   accountCommands    `cmd:"" help:"The help desk's verbs."`
	Activation activationCommands `cmd:"" help:"Codes on paper for patients whom the practice knows."`
	Proof      proofCommands      `cmd:"" help:"Record documents that were seen in person."`
	Approvals  approvalCommands   `cmd:"" help:"What waits for a second person: list, confirm or refuse it."`
	Audit      auditCommands      `cmd:"" help:"Find what a reference means, or verify the chain of events."`
	Version    versionCommand     `cmd:"" help:"Show version, commit and Go version."`
}

// console is where a command speaks.
type console struct {
	out io.Writer // results
	say io.Writer // words about them
}

func main() {
	if hashing.IsWorker() { // before anything else: it is another program in the same file
		os.Exit(hashing.RunWorker())
	}
	os.Exit(run(os.Args[1:], console{os.Stdout, os.Stderr}))
}

func run(args []string, c console) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	var commands cli
	code := -1
	parser, err := kong.New(&commands,
		kong.Name("dilys"),
		kong.Description("Dilys is the front door of patient portals."),
		kong.Writers(c.out, c.say),
		kong.Exit(func(asked int) { code = asked }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(c),
	)
	if err != nil {
		_, _ = fmt.Fprintln(c.say, err)
		return failed
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	chosen, err := parser.Parse(args)
	if code == done { // --help was shown
		return done
	}
	if err != nil {
		_, _ = fmt.Fprintf(c.say, "dilys: %v\n", err)
		return usage
	}
	if err := chosen.Run(&commands); err != nil {
		return tell(c, err)
	}
	return done
}

// tell says what went wrong; a command that said it all itself returns errSaid.
func tell(c console, err error) int {
	if !errors.Is(err, errSaid) {
		_, _ = fmt.Fprintf(c.say, "dilys: %v\n", err)
	}
	if errors.Is(err, errUsage) {
		return usage
	}
	return failed
}

var (
	errSaid  = errors.New("said already")
	errUsage = errors.New("wrong usage")
)
