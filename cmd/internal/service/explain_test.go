package service

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/code"
	"github.com/dilys-id/dilys/identity/limit"
	"github.com/dilys-id/dilys/rp/page"
)

// causeLiteral finds where the rooms name a cause. One that ends in a hyphen goes on
// with a word of some list.
var causeLiteral = regexp.MustCompile(`(?:refuse(?:Form)?\([^)"]*|invalid(?:Grant|Client)\(|Fault: +|[cC]ause(?:: +|(?:, class)? :?= |, v\.Failed = )|refusal\([^)"]*|tooLate\([^)"]*|invalid\(|\.End\([^)"]*, |dropped\([^)"]*, |&fault\{(?:"[a-z_]+"|\w+), "[^"]*", )"([a-z-]+)"`)

func TestEveryCauseIsExplained(t *testing.T) {
	found := map[string]bool{}
	for _, pattern := range []string{"../../../rp/*.go", "../../../rp/portal/*.go", "../../../identity/*/*.go", "../*/*.go"} {
		for file, text := range sources(t, pattern) {
			if strings.Contains(file, "identity/outbox/") { // of messages, for the log and the metrics
				continue
			}
			for _, m := range causeLiteral.FindAllStringSubmatch(text, -1) {
				found[m[1]] = true
				if _, known := ExplainCause(m[1]); !known && !strings.HasSuffix(m[1], "-") {
					t.Errorf("%s: the cause %s has no words", filepath.Base(file), m[1])
				}
			}
		}
	}
	const atLeast = 80
	if len(found) < atLeast {
		t.Errorf("only %d causes were found: the pattern no longer fits the code", len(found))
	}
	for prefix := range found {
		if strings.HasSuffix(prefix, "-") && families()[prefix] == nil {
			t.Errorf("the causes %s… have no list of what follows", prefix)
		}
	}
}

// sources are the files of the pattern by name, without tests.
func sources(t *testing.T, pattern string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: wanted files, got %d, %v", pattern, len(files), err)
	}
	texts := map[string]string{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[file] = string(text)
	}
	return texts
}

// families are the words that follow each cause that ends in a hyphen.
func families() map[string][]string {
	d := limit.Defaults
	rules := []string{d.Block.Name, d.Lookups.Name, "flow", "address-cooldown", "address-2h"} // the last as a configuration names its own
	for _, r := range slices.Concat(d.Address, d.Service) {
		rules = append(rules, r.Name)
	}
	return map[string][]string{
		"entry-": {
			string(identity.Died), string(identity.Moved), string(identity.Invalidated), string(identity.Superseded), "protected",
		},
		"step-up-": {string(attempt.WayApp), string(attempt.WayPhone), string(attempt.WayCard)},
		"left-":    page.LeaveReasons(),
		"limit-":   rules,
	}
}

func TestEveryListedCauseIsExplained(t *testing.T) {
	words := []string{"P9.Cp.Cd", string(audit.LoginSucceeded)}
	for prefix, rest := range families() {
		for _, word := range rest {
			words = append(words, prefix+word)
		}
	}
	for _, f := range []identity.Freeze{
		identity.FrozenNotMyNumber, identity.FrozenNotMyRecord, identity.FrozenDied, identity.FrozenInvalidated, identity.FrozenOther, identity.FrozenTaken,
	} {
		words = append(words, string(f))
	}
	for _, b := range []identity.Basis{
		identity.BasisContacts, identity.BasisRegister, identity.BasisActivation, identity.BasisLinkage, identity.BasisDocuments,
	} {
		words = append(words, string(b))
	}
	for _, p := range []code.Purpose{code.SignUpEmail, code.SignUpPhone, code.Login, code.Recover, code.ChangeEmail, code.ChangePhone, code.StepUp} {
		words = append(words, string(p))
	}
	for _, word := range words {
		if _, known := ExplainCause(word); !known {
			t.Errorf("the cause %s has no words", word)
		}
	}
	for _, stranger := range []string{"", "limit-", "limit-nothing", "P9.", "nothing-of-ours"} {
		if said, known := ExplainCause(stranger); known {
			t.Errorf("%q is explained: %s", stranger, said)
		}
	}
}

var kindLiteral = regexp.MustCompile(`Kind += "([a-z.-]+)"`)

func TestEveryKindIsExplained(t *testing.T) {
	found := kindLiteral.FindAllStringSubmatch(sources(t, "../../../identity/audit/event.go")["../../../identity/audit/event.go"], -1)
	if len(found) < len(kinds) {
		t.Errorf("only %d kinds were found, and %d have words", len(found), len(kinds))
	}
	for _, m := range found {
		if _, known := explainKind(audit.Kind(m[1])); !known {
			t.Errorf("the kind %s has no words", m[1])
		}
	}
}

var routeLiteral = regexp.MustCompile(`\{"(/[^"]*)", (?:get|post|both), |r\.Handle(?:Func)?\("(/[^"]+)"|Route = "(/[^"]+)"`)

// Every door has a name of its own or of the page above it, and every name is a door's.
func TestEveryStepIsExplained(t *testing.T) {
	routes := map[string]bool{}
	for _, m := range routeLiteral.FindAllStringSubmatch(sources(t, "../../../rp/routes.go")["../../../rp/routes.go"], -1) {
		route := m[1] + m[2] + m[3]
		routes[route] = true
		if _, known := explainStep("GET " + route); !known {
			t.Errorf("the step %s has no words", route)
		}
	}
	for _, m := range regexp.MustCompile(`Page = "([a-z-]+)"`).FindAllStringSubmatch(sources(t, "../../../identity/attempt/signup.go")["../../../identity/attempt/signup.go"], -1) {
		route := "/sign-up/" + m[1]
		routes[route] = true
		if _, own := steps[route]; !own {
			t.Errorf("the step %s has no words of its own", route)
		}
	}
	const atLeast = 70
	if len(routes) < atLeast {
		t.Errorf("only %d routes were found: the pattern no longer fits the code", len(routes))
	}
	for _, route := range slices.Sorted(maps.Keys(steps)) {
		if !routes[route] {
			t.Errorf("%s has words, and is no route", route)
		}
	}
	for _, stranger := range []string{"", "GET", "GET nowhere"} {
		if said, known := explainStep(stranger); known {
			t.Errorf("%q is explained: %s", stranger, said)
		}
	}
}
