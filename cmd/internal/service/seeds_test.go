package service

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFuzzTargetsHaveSeeds fails for a fuzz target that starts from nothing: run as
// an ordinary test it would try no input at all, and still pass. Seeds are added in
// the target itself, or are files in a folder that must not have moved away.
func TestFuzzTargetsHaveSeeds(t *testing.T) {
	targets := 0
	eachTestFile(t, func(name string) {
		for target, seeded := range fuzzTargets(t, name) {
			targets++
			if !seeded && !hasCorpus(t, filepath.Dir(name), target) {
				t.Errorf("%s: %s has no seeds: wanted f.Add in it, or files in testdata/fuzz/%s", name, target, target)
			}
		}
	})
	if targets < 10 {
		t.Errorf("wanted the fuzz targets of the whole module, found %d", targets)
	}
}

// Tokens, addresses, configuration and cookies are what strangers write.
func TestStrangersTextIsFuzzed(t *testing.T) {
	found := map[string]bool{}
	eachTestFile(t, func(name string) {
		for target := range fuzzTargets(t, name) {
			found[target] = true
		}
	})
	for _, target := range []string{"FuzzVerifyAccess", "FuzzIDToken", "FuzzReturnTo", "FuzzConfig", "FuzzCookie", "FuzzAuthorize", "FuzzCheckPath", "FuzzKeySet"} {
		if !found[target] {
			t.Errorf("%s is gone", target)
		}
	}
}

// TestFuzzTargetsAreRead keeps the tests above honest.
func TestFuzzTargetsAreRead(t *testing.T) {
	for name, row := range map[string]struct {
		code   string
		seeded bool
	}{
		"seeds in a loop":                   {`func FuzzX(f *testing.F) { for range 3 { f.Add("x") }; f.Fuzz(nil) }`, true},
		"a seed alone":                      {`func FuzzX(f *testing.F) { f.Add("x"); f.Fuzz(nil) }`, true},
		"under another name":                {`func FuzzX(fuzz *testing.F) { fuzz.Add("x") }`, true},
		"handed to another function":        {`func FuzzX(f *testing.F) { seed(f) }; func seed(f *testing.F) { f.Add("x") }`, true},
		"handed on twice":                   {`func FuzzX(f *testing.F) { a(f) }; func a(f *testing.F) { b(f) }; func b(f *testing.F) { f.Add("x") }`, true},
		"handed on for ever":                {`func FuzzX(f *testing.F) { a(f) }; func a(f *testing.F) { a(f) }`, false},
		"none":                              {`func FuzzX(f *testing.F) { f.Fuzz(nil) }`, false},
		"in a comment":                      {`func FuzzX(f *testing.F) { /* f.Add("x") */ f.Fuzz(nil) }`, false},
		"of something else":                 {`func FuzzX(f *testing.F) { var set wait; set.Add(1); f.Fuzz(nil) }`, false},
		"of something else in the function": {`func FuzzX(f *testing.F) { other(f) }; func other(f *testing.F) { var set wait; set.Add(1) }`, false},
		"an Add without a value":            {`func FuzzX(f *testing.F) { f.Add() }`, false},
	} {
		file := filepath.Join(t.TempDir(), "x_test.go")
		if err := os.WriteFile(file, []byte("package x\nimport \"testing\"\n"+row.code), 0o600); err != nil {
			t.Fatal(err)
		}
		seeded, found := fuzzTargets(t, file)["FuzzX"]
		if !found || seeded != row.seeded {
			t.Errorf("%s: found %v, seeded %v", name, found, seeded)
		}
	}
}

func TestCorpus(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "testdata", "fuzz", "FuzzX")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if hasCorpus(t, dir, "FuzzX") || hasCorpus(t, dir, "FuzzY") {
		t.Error("an empty or missing folder counts as seeds")
	}
	if err := os.WriteFile(filepath.Join(folder, "one"), []byte("go test fuzz v1\nstring(\"x\")\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if !hasCorpus(t, dir, "FuzzX") {
		t.Error("a file does not count as a seed")
	}
}

// eachTestFile calls fn for every test file of the module.
func eachTestFile(t *testing.T, fn func(name string)) {
	t.Helper()
	root := filepath.Join("..", "..", "..")
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && name != root):
			return filepath.SkipDir
		case !d.IsDir() && strings.HasSuffix(name, "_test.go"):
			fn(name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// fuzzTargets returns the fuzz targets of a file, and whether each adds a seed
// itself or by a function of the same file that it hands its *testing.F to.
func fuzzTargets(t *testing.T, name string) map[string]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	functions := map[string]*ast.FuncDecl{}
	for _, d := range file.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Body != nil {
			functions[fn.Name.Name] = fn
		}
	}
	targets := map[string]bool{}
	for name, fn := range functions {
		if f := fuzzerOf(fn); strings.HasPrefix(name, "Fuzz") && f != "" {
			targets[name] = seeds(fn, functions, map[string]bool{})
		}
	}
	return targets
}

// seeds reports whether the function adds a seed, looking at each function once.
func seeds(fn *ast.FuncDecl, functions map[string]*ast.FuncDecl, seen map[string]bool) bool {
	f := fuzzerOf(fn)
	if f == "" || seen[fn.Name.Name] {
		return false
	}
	seen[fn.Name.Name] = true
	found := false
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || found {
			return !found
		}
		switch called := call.Fun.(type) {
		case *ast.SelectorExpr:
			found = called.Sel.Name == "Add" && isName(called.X, f) && len(call.Args) > 0
		case *ast.Ident:
			next := functions[called.Name]
			found = next != nil && handsOn(call, f) && seeds(next, functions, seen)
		}
		return !found
	})
	return found
}

// fuzzerOf returns the name of the function's *testing.F, or nothing.
func fuzzerOf(fn *ast.FuncDecl) string {
	for _, field := range fn.Type.Params.List {
		star, ok := field.Type.(*ast.StarExpr)
		if !ok || len(field.Names) != 1 {
			continue
		}
		if sel, ok := star.X.(*ast.SelectorExpr); ok && isName(sel.X, "testing") && sel.Sel.Name == "F" {
			return field.Names[0].Name
		}
	}
	return ""
}

func handsOn(call *ast.CallExpr, name string) bool {
	for _, arg := range call.Args {
		if isName(arg, name) {
			return true
		}
	}
	return false
}

func isName(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

// hasCorpus reports whether seeds of the target stand in files beside it.
func hasCorpus(t *testing.T, dir, target string) bool {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "testdata", "fuzz", target, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(found) > 0
}
