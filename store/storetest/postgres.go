package storetest

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/dilys-id/dilys/store"
)

// Main runs the tests of a package that calls [Postgres], and takes the server
// down after them. Its TestMain is this one line.
func Main(m *testing.M) {
	code := m.Run()
	if server != nil {
		server.stop()
	}
	os.Exit(code)
}

// Postgres returns the address of a new migrated database, on a server that the
// package's first call starts. Where PostgreSQL is not installed the test is
// skipped, but with CI=true it fails: a missing install must not hide.
func Postgres(t testing.TB) string {
	t.Helper()
	c := cluster(t)
	name := fmt.Sprintf("t%d", databases.Add(1))
	c.do(t, "CREATE DATABASE "+name+" TEMPLATE migrated")
	return c.url(name)
}

// EmptyPostgres is [Postgres] for a database that nothing was done to.
func EmptyPostgres(t testing.TB) string {
	t.Helper()
	c := cluster(t)
	name := fmt.Sprintf("t%d", databases.Add(1))
	c.do(t, "CREATE DATABASE "+name)
	return c.url(name)
}

var (
	starting  sync.Once
	server    *postgres
	startErr  error
	databases atomic.Int64
)

var errNoPostgres = errors.New("wanted PostgreSQL's programs (Debian: postgresql), got none")

func cluster(t testing.TB) *postgres {
	t.Helper()
	starting.Do(func() { server, startErr = startPostgres() })
	switch {
	case errors.Is(startErr, errNoPostgres) && os.Getenv("CI") != "true":
		t.Skip(startErr)
	case startErr != nil:
		t.Fatal(startErr)
	}
	return server
}

// postgres is a server of this process alone.
type postgres struct {
	bin, dir string
	port     int
	attr     *syscall.SysProcAttr
	process  *exec.Cmd
	log      bytes.Buffer
	ended    chan struct{}
	admin    *sql.DB
}

func startPostgres() (*postgres, error) {
	bin, err := postgresPrograms()
	if err != nil {
		return nil, err
	}
	p := &postgres{bin: bin, ended: make(chan struct{})}
	if err := p.start(); err != nil {
		p.stop()
		return nil, fmt.Errorf("postgresql: %w", err)
	}
	return p, nil
}

func postgresPrograms() (string, error) {
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		if bin := strings.TrimSpace(string(out)); programs(bin) {
			return bin, nil
		}
	}
	versions, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	for _, bin := range versions {
		if programs(bin) {
			return bin, nil
		}
	}
	return "", errNoPostgres
}

func programs(bin string) bool {
	_, initdb := os.Stat(filepath.Join(bin, "initdb"))
	_, server := os.Stat(filepath.Join(bin, "postgres"))
	return initdb == nil && server == nil
}

func (p *postgres) start() error {
	if err := p.prepareUser(); err != nil {
		return err
	}
	initdb := p.command("initdb", "-D", p.dir+"/data", "-U", "app", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	var err error
	for range 3 { // the port that was free a moment ago may be taken
		if err = p.serve(); err == nil {
			return p.migrateTemplate()
		}
	}
	return err
}

// prepareUser makes the folder. The server refuses to run as root, so there it
// runs as the user of the Debian package, and dies with this process in any case.
func (p *postgres) prepareUser() error {
	dir, err := os.MkdirTemp("", "dilys-postgres-") // t.TempDir's parent is closed to other users
	if err != nil {
		return err
	}
	p.dir, p.attr = dir, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		return nil
	}
	owner, err := user.Lookup("postgres")
	if err != nil {
		if owner, err = user.Lookup("nobody"); err != nil {
			return err
		}
	}
	uid, uidErr := strconv.ParseUint(owner.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(owner.Gid, 10, 32)
	p.attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return errors.Join(uidErr, gidErr, os.Chown(dir, int(uid), int(gid)))
}

func (p *postgres) command(program string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(p.bin, program), args...)
	c.Dir, c.SysProcAttr = p.dir, p.attr
	return c
}

// serve starts the server and waits until it answers.
func (p *postgres) serve() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	p.port = listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		return err
	}
	p.ended = make(chan struct{})
	p.process = p.command("postgres", "-D", p.dir+"/data", "-c", "listen_addresses=127.0.0.1", "-c", "port="+strconv.Itoa(p.port),
		"-c", "unix_socket_directories="+p.dir, "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "max_connections=300")
	p.log.Reset()
	p.process.Stdout, p.process.Stderr = &p.log, &p.log
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the death of the thread that started it would be the server's
		err := p.process.Start()
		started <- err
		if err == nil {
			_ = p.process.Wait()
		}
		close(p.ended)
		select {} // keep the thread: initdb and tests never run on it
	}()
	if err := <-started; err != nil {
		return err
	}
	return p.await()
}

func (p *postgres) await() error {
	if p.admin != nil {
		_ = p.admin.Close()
	}
	var err error
	if p.admin, err = sql.Open("pgx", p.url("postgres")); err != nil {
		return err
	}
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	deadline := time.After(30 * time.Second)
	for {
		if err = p.admin.Ping(); err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("the server ended: %s", p.log.String())
		case <-deadline:
			return fmt.Errorf("wanted an answer within 30 s: %w", err)
		case <-poll.C:
		}
	}
}

// migrateTemplate makes the database that each test's is a copy of.
func (p *postgres) migrateTemplate() error {
	if _, err := p.admin.Exec("CREATE DATABASE migrated"); err != nil {
		return err
	}
	_, err := store.Migrate(context.Background(), store.Options{URL: p.url("migrated")})
	return err
}

func (p *postgres) url(database string) string {
	return fmt.Sprintf("postgres://app@127.0.0.1:%d/%s?sslmode=disable", p.port, database)
}

func (p *postgres) do(t testing.TB, statement string) {
	t.Helper()
	if _, err := p.admin.Exec(statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// stop ends the server and removes what it kept.
func (p *postgres) stop() {
	if p.admin != nil {
		_ = p.admin.Close()
	}
	if p.process != nil && p.process.Process != nil {
		_ = p.process.Process.Signal(syscall.SIGINT) // fast shutdown
		<-p.ended
	}
	if p.dir != "" {
		_ = os.RemoveAll(p.dir)
	}
}
