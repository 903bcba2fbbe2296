package service

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/dilys-id/dilys/"

// floors says how high each room stands. An arrow goes down, and neighbours do
// not know each other.
var floors = map[string]int{
	"identity":             0,
	"identity/token":       1,
	"identity/audit":       1,
	"identity/token/guard": 2,
	"identity/account":     2,
	"identity/session":     2,
	"identity/grant":       2,
	"identity/factor":      2,
	"identity/approval":    2,
	"identity/code":        2,
	"identity/limit":       2,
	"identity/password":    2,
	"identity/outbox":      2,
	"identity/attempt":     3,
	"identity/dossier":     3,
	"rp/outside":           3,
	"rp/provider":          4,
	"rp/passkey":           4,
	"rp/portal":            4,
	"rp/page":              4,
	"rp/register":          4,
	"rp/courier":           4,
	"store":                4,
	"rp":                   5,
}

// counterparts serve development and tests. The service can't reach them. Those
// that play a foreign party know nothing of ours but the ground floor.
var counterparts = []string{
	"rp/provider/simulator", "rp/passkey/softkey", "rp/register/pdsstandin", "rp/courier/notifystandin", "rp/courier/smtpstandin",
	"cmd/dilys-dev/internal/exampleportal", "cmd/dilys-dev/internal/workbench", "store/storetest", "store/madeup", "rp/page/pagetest",
	"identity/token/guard/guardtest",
}

// vendors are the words that only some rooms may say: one place knows each
// foreign library, so that one place changes when it does.
var vendors = map[string][]string{
	"github.com/go-jose/":        {"identity/token", "rp/provider/simulator", "rp/register/pdsstandin"},
	"github.com/coreos/go-oidc":  {"rp/provider", "rp/provider/simulator", "cmd/dilys-dev/internal/exampleportal"},
	"golang.org/x/oauth2":        {"rp/provider", "rp/provider/simulator", "cmd/dilys-dev/internal/exampleportal"},
	"github.com/gorilla/mux":     {"rp"},
	"database/sql":               {"store", "store/storetest"},
	"modernc.org/":               {"store"},
	"github.com/jackc/":          {"store", "store/storetest"},
	"github.com/pressly/":        {"store"},
	"github.com/tink-crypto/":    {"store"},
	"html/template":              {"rp/page", "rp/provider/simulator", "cmd/dilys-dev/internal/exampleportal", "cmd/dilys-dev/internal/workbench"},
	"github.com/alecthomas/kong": {"cmd/dilys", "cmd/dilys-dev"},
	"github.com/goccy/go-yaml":   {"cmd/internal/service", "rp/provider/simulator"},
	"github.com/prometheus/":     {"cmd/internal/service"},
	"github.com/wneessen/":       {"rp/courier"},
	"github.com/emersion/":       {"rp/courier/smtpstandin"},
	"math/rand":                  nil, // ASVS 11.5.1: nothing here is allowed to be guessable
	"golang.org/x/crypto":        {"identity/password"},
	"golang.org/x/text":          {"identity/password"},
	"github.com/ccojocar/":       {"identity/password"},
	"github.com/pquerna/":        {"identity/factor"},
	"github.com/go-webauthn/":    {"rp/passkey"},
	"github.com/google/uuid":     {"rp/passkey"},
	"github.com/boombuler/":      {"rp/page"},
	"unsafe":                     nil,
}

func TestArrowsGoDown(t *testing.T) {
	seen := map[string]bool{}
	eachImport(t, func(room, file, imported string) {
		seen[room] = true
		if fault := judgeImport(room, imported); fault != "" {
			t.Errorf("%s: imports %s: %s", file, imported, fault)
		}
	})
	for room := range floors {
		if !seen[room] {
			t.Errorf("the table names %s, which has no code", room)
		}
	}
	for room := range seen {
		_, known := floors[room]
		if !known && !strings.HasPrefix(room, "cmd/") && !slices.Contains(counterparts, room) {
			t.Errorf("%s stands on no floor: give it one in the table", room)
		}
	}
}

// judgeImport returns what is wrong with an import, or nothing.
func judgeImport(room, imported string) string {
	if inner, ours := strings.CutPrefix(imported, module); ours {
		return judgeArrow(room, inner)
	}
	if room == "identity" && strings.Contains(strings.Split(imported, "/")[0], ".") {
		return "the ground floor stands on the standard library alone"
	}
	for prefix, rooms := range vendors {
		said := imported == prefix || strings.HasPrefix(imported, strings.TrimSuffix(prefix, "/")+"/")
		if said && !slices.Contains(rooms, room) {
			return "a word that only some rooms may say: " + strings.Join(rooms, ", ")
		}
	}
	return ""
}

func judgeArrow(room, to string) string {
	if slices.Contains(counterparts, to) && room != "cmd/dilys-dev" && !slices.Contains(counterparts, room) {
		return "only dilys-dev and tests may reach a counterpart"
	}
	if slices.Contains(counterparts, room) {
		if to == "identity" || strings.HasSuffix(room, "test") {
			return ""
		}
		return "a counterpart knows nothing of ours but the ground floor"
	}
	if strings.HasPrefix(room, "cmd/") {
		return "" // the roof may reach every room
	}
	from, known := floors[room]
	target, exists := floors[to]
	switch {
	case !known || !exists:
		return "the table of floors does not know this arrow"
	case room == "rp" && to == "store":
		return "the front door never reaches into the store"
	case target >= from:
		return "an arrow goes up or sideways"
	}
	return ""
}

// TestJudgeImportCatches keeps the test above honest.
func TestJudgeImportCatches(t *testing.T) {
	for name, row := range map[string]struct {
		room, imported string
		fault          bool
	}{
		"up":                            {"identity", module + "identity/session", true},
		"sideways":                      {"identity/session", module + "identity/account", true},
		"down":                          {"identity/attempt", module + "identity/account", false},
		"the front door into the store": {"rp", module + "store", true},
		"the service to a simulator":    {"cmd/internal/service", module + "rp/provider/simulator", true},
		"dilys-dev to a simulator":      {"cmd/dilys-dev", module + "rp/provider/simulator", false},
		"a simulator into a room":       {"rp/provider/simulator", module + "rp/provider", true},
		"a library on the ground floor": {"identity", "golang.org/x/text/language", true},
		"jose outside of token":         {"rp/portal", "github.com/go-jose/go-jose/v4/jwt", true},
		"sql outside of the store":      {"rp", "database/sql", true},
		"guessable randomness":          {"identity", "math/rand", true},
		"guessable randomness, new":     {"store", "math/rand/v2", true},
	} {
		if got := judgeImport(row.room, row.imported); (got != "") != row.fault {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

// eachImport calls fn for every import of every Go file that is not a test.
func eachImport(t *testing.T, fn func(room, file, imported string)) {
	t.Helper()
	root := filepath.Join("..", "..", "..")
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && name != root) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		file := filepath.ToSlash(rel)
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			fn(path.Dir(file), file, imported)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
