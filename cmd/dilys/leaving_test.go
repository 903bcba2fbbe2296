package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
)

var reference = regexp.MustCompile(`DIL-\w{4}-\w{2}`)

// confirmed has another person confirm what was asked for, after the one who asked
// could not.
func (d *desk) confirmed(asked string) string {
	d.t.Helper()
	id := reference.FindString(asked)
	if code, _, _ := d.run("approvals", "confirm", id); code == done {
		d.t.Fatal("one person alone did it")
	}
	d.t.Setenv("SUDO_UID", "40002")
	defer d.t.Setenv("SUDO_UID", "40001")
	code, out, said := d.run("approvals", "confirm", id)
	if code != done {
		d.t.Fatalf("%s: %s", id, said)
	}
	if code, _, _ := d.run("approvals", "confirm", id); code == done {
		d.t.Fatal("it was done twice")
	}
	return out
}

func TestExportIsForThePatientAndOnRecord(t *testing.T) {
	d := newDesk(t)
	a := d.open("9991000003", "gwen@example.com", "07700900201")
	d.furnish(a)
	if code, out, _ := d.run("accounts", "export", a.ID); code != usage || out != "" {
		t.Errorf("wanted a reason asked for, got %d", code)
	}
	code, out, said := d.run("accounts", "export", a.ID, "--reason", "asked in writing")
	if code != done {
		t.Fatal(said)
	}
	var got map[string]any
	d.ok(json.Unmarshal([]byte(out), &got))
	for _, wanted := range []string{"gwen@example.com", "1985-05-17", "totp", "newydd@example.com", "recovery.issued"} {
		if !strings.Contains(out, wanted) {
			t.Errorf("%s is not in it", wanted)
		}
	}
	for _, held := range []string{"argon2id", "operator:one", "lost phone", "9991000003"} {
		if strings.Contains(out, held) {
			t.Errorf("it holds %s", held)
		}
	}
	events, err := d.DB.Audit().EventsOf(t.Context(), a.ID, 1)
	d.ok(err)
	if e := events[0]; e.Kind != audit.AccountExported || e.Actor != "operator:uid-40001" || e.Reason != "asked in writing" {
		t.Errorf("wanted it on record, got %+v", e)
	}
	if code, out, _ := d.run("accounts", "export", "nobody", "--reason", "asked in writing"); code != failed || out != "" {
		t.Errorf("wanted nobody shown, got %d %q", code, out)
	}
}

func TestDeleteNeedsTwoAndErases(t *testing.T) {
	d := newDesk(t)
	a := d.open("9991000003", "gwen@example.com", "07700900201")
	d.furnish(a)
	code, asked, said := d.run("accounts", "delete", a.ID, "--reason", "asked in writing")
	if code != done {
		t.Fatal(said)
	}
	if got, err := d.Accounts.Account(t.Context(), a.ID); err != nil || len(got.Links) == 0 {
		t.Fatal("it was deleted by one person")
	}
	d.confirmed(asked)
	for _, typed := range []string{"999 100 0003", "gwen@example.com", "07700900201"} {
		if code, out, _ := d.typing(typed, "accounts", "find", "--reason", "patient called"); code == done || out != "" {
			t.Errorf("%s is found still: %s", typed, out)
		}
	}
	again := d.open("9991000003", "gwen@example.com", "07700900201")
	if again.ID == a.ID {
		t.Error("wanted an id of its own for who comes after")
	}
	if code, asked, _ = d.run("accounts", "delete", a.ID, "--reason", "asked in writing"); code == done {
		d.t.Setenv("SUDO_UID", "40002")
		if code, _, _ := d.run("approvals", "confirm", reference.FindString(asked)); code == done {
			t.Error("it was deleted twice")
		}
	}
}

func TestRenumberCorrects(t *testing.T) {
	d := newDesk(t)
	a, taken := d.open("9991000003", "gwen@example.com", "07700900201"), d.open("9991000070", "arall@example.com", "07700900202")
	for name, typed := range map[string]string{"no number": "", "a wrong check digit": "9991000004"} {
		if code, _, _ := d.typing(typed, "accounts", "renumber", a.ID, "--reason", "merged"); code == done {
			t.Errorf("%s is taken", name)
		}
	}
	code, asked, said := d.typing("999 100 0038", "accounts", "renumber", a.ID, "--reason", "merged")
	if code != done {
		t.Fatal(said)
	}
	if strings.Contains(asked+said, "9991000038") {
		t.Error("the number is repeated")
	}
	d.confirmed(asked)
	got, err := d.Accounts.Account(t.Context(), a.ID)
	d.ok(err)
	if n := got.Details().NHSNumber.Reveal(); n != "9991000038" || got.Links[0].Level != identity.P5 {
		t.Errorf("wanted the right number at the level there was, got %s at %s", n, got.Links[0].Level)
	}
	for _, args := range [][]string{{"accounts", "show", a.ID, "--reason", "looked"}, {"accounts", "export", a.ID, "--reason", "looked"}} {
		if _, out, _ := d.run(args...); strings.Contains(out, "9991000003") {
			t.Errorf("%v tells the former number", args)
		}
	}
	if code, out, _ := d.typing("9991000003", "accounts", "find", "--reason", "looked"); code == done {
		t.Errorf("the former number leads somewhere: %s", out)
	}

	code, asked, _ = d.typing("999 100 0070", "accounts", "renumber", a.ID, "--reason", "merged")
	if code == done {
		d.t.Setenv("SUDO_UID", "40002")
		if code, _, _ := d.run("approvals", "confirm", reference.FindString(asked)); code == done {
			t.Error("the number of another account was taken")
		}
	}
	if got, err := d.Accounts.Account(t.Context(), taken.ID); err != nil || got.Details().NHSNumber.Reveal() != "9991000070" {
		t.Error("another account lost its number")
	}
}

// Nothing that is kept leads from the account before a protected change to the one
// after, and nothing tells that it was one.
func TestAProtectedChangeLeavesNoTrace(t *testing.T) {
	d := newDesk(t)
	old := d.open("9991000003", "gwen@example.com", "07700900201")
	left := d.open("9991000070", "arall@example.com", "07700900202")
	code, asked, said := d.run("accounts", "renumber", "--kind", "protected", old.ID)
	if code != done {
		t.Fatal(said)
	}
	d.confirmed(asked)
	code, asked, _ = d.run("accounts", "delete", left.ID, "--reason", ownersRequest)
	if code != done {
		t.Fatal("wanted the other to be asked for")
	}
	d.confirmed(asked)
	newer := d.open("9991000038", "newydd@example.com", "07700900203")

	trace := func(id string) (kinds []string) {
		events, err := d.DB.Audit().EventsOf(t.Context(), id, 100)
		d.ok(err)
		for _, e := range events {
			kinds = append(kinds, string(e.Kind)+" "+e.Cause+" "+e.Reason+" "+e.Actor)
		}
		return kinds
	}
	if protected, usual := strings.Join(trace(old.ID), "\n"), strings.Join(trace(left.ID), "\n"); protected != usual {
		t.Errorf("a protected change tells itself from a deletion:\n%s\n\n%s", protected, usual)
	}
	files, err := filepath.Glob(filepath.Join(filepath.Dir(d.config), "dilys.db*"))
	d.ok(err)
	for _, file := range files {
		content, err := os.ReadFile(file)
		d.ok(err)
		if strings.Contains(string(content), "protected change") || strings.Contains(string(content), "renumber") {
			t.Errorf("%s tells that there was a protected change", filepath.Base(file))
		}
	}
	if newer.ID == old.ID || newer.Created.Before(old.Created) {
		t.Errorf("wanted an account of its own, got %s", newer.ID)
	}
}
