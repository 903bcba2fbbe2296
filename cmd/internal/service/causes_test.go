package service

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// causeLiteral finds where the front door and the portal side name a cause.
var causeLiteral = regexp.MustCompile(`(?:refuse(?:Form)?\([^)"]*|invalid(?:Grant|Client)\(|Fault: +|[cC]ause(?:: +| = )|refusal\([^)"]*|tooLate\([^)"]*|invalid\(|&fault\{(?:"[a-z_]+"|\w+), "[^"]*", )"([a-z-]+)"`)

func TestEveryCauseIsExplained(t *testing.T) {
	found := map[string]bool{}
	for _, pattern := range []string{"../../../rp/*.go", "../../../rp/portal/*.go", "../*/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range causeLiteral.FindAllStringSubmatch(string(text), -1) {
				found[m[1]] = true
				if _, known := ExplainCause(m[1]); !known {
					t.Errorf("%s: the cause %s has no words", filepath.Base(file), m[1])
				}
			}
		}
	}
	const atLeast = 40
	if len(found) < atLeast {
		t.Errorf("only %d causes were found: the pattern no longer fits the code", len(found))
	}
}
