package password_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/password"
)

// here hashes on the spot and counts.
type here struct {
	hashes, checks int
	busy           bool
}

func (h *here) Hash(_ context.Context, p password.Peppered, _ password.Lane) (password.PHC, error) {
	if h.busy {
		return "", password.ErrBusy
	}
	h.hashes++
	return password.Hash(p), nil
}

func (h *here) Verify(_ context.Context, hash password.PHC, p password.Peppered, _ password.Lane) (bool, error) {
	h.checks++
	return password.Verify(hash, p)
}

// peppers are two, of which one is in use.
type peppers struct{ inUse uint32 }

func (p *peppers) PepperInUse() uint32 { return p.inUse }

func (p *peppers) Pepper(id uint32, purpose string, secret []byte) ([]byte, error) {
	sum := sha256.Sum256(append([]byte{byte(id), byte(len(purpose))}, secret...))
	return sum[:], nil
}

func room(t *testing.T) (*password.Passwords, *here, *peppers) {
	t.Helper()
	h, p := new(here), &peppers{1}
	return password.New(nil, h, p, time.Now), h, p
}

func TestCheckTakesTheWholePasswordUnchanged(t *testing.T) {
	r, _, _ := room(t)
	long := strings.Repeat("wobbly teapot sk", 6) + "\u0175\u0175" // 98 code points, ŵ composed
	record, err := r.Prepare(t.Context(), identity.Secret(long), password.Anyone)
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		pw   string
		want bool
	}{
		"itself":           {long, true},
		"decomposed":       {strings.Repeat("wobbly teapot sk", 6) + "w\u0302w\u0302", true},
		"its 73rd changed": {long[:72] + "X" + long[73:], false},
		"its last missing": {strings.Repeat("wobbly teapot sk", 6) + "\u0175", false},
		"in capitals":      {strings.ToUpper(long), false},
		"a space before":   {" " + long, false},
		"a space behind":   {long + " ", false},
		"nothing":          {"", false},
	} {
		ok, fresh, err := r.Check(t.Context(), record, identity.Secret(row.pw), password.Anyone)
		if err != nil || ok != row.want || fresh != nil {
			t.Errorf("%s: wanted %v, got %v, %v, %v", name, row.want, ok, fresh, err)
		}
	}
}

func TestNobodysPasswordCostsOneHashAndIsNeverRight(t *testing.T) {
	r, h, _ := room(t)
	for range 2 {
		h.checks = 0
		ok, _, err := r.Check(t.Context(), password.Record{}, "wobbly teapot sky", password.Anyone)
		if ok || err != nil || h.checks != 1 {
			t.Errorf("wanted no and one hash, got %v, %v, %d hashes", ok, err, h.checks)
		}
	}
}

// TestWhatNobodyCanHaveCostsNothing holds it to cost the same, nothing, whoever's it
// would be.
func TestWhatNobodyCanHaveCostsNothing(t *testing.T) {
	r, h, _ := room(t)
	longest := strings.Repeat("\u1f82", password.Longest) // four code points each, decomposed
	record, err := r.Prepare(t.Context(), identity.Secret(longest), password.Anyone)
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		pw     string
		hashes int
		right  bool
	}{
		"256":               {longest, 1, true},
		"256, decomposed":   {norm.NFD.String(longest), 1, true},
		"257":               {longest + "x", 0, false},
		"257 of one byte":   {strings.Repeat("x", 257), 0, false},
		"257, decomposed":   {norm.NFD.String(longest + "x"), 0, false},
		"a megabyte":        {strings.Repeat("x", 1<<20), 0, false},
		"a megabyte on top": {longest + strings.Repeat("x", 1<<20), 0, false},
		"broken":            {"\xff\xfe\xed\xa0\x80", 1, false},
		"nothing":           {"", 0, false},
	} {
		for whose, record := range map[string]password.Record{"nobody's": {}, "somebody's": record} {
			h.checks = 0
			ok, _, err := r.Check(t.Context(), record, identity.Secret(row.pw), password.Anyone)
			if ok != (row.right && whose == "somebody's") || err != nil || h.checks != row.hashes {
				t.Errorf("%s %s: wanted %v and %d hashes, got %v, %v, %d", whose, name, row.right, row.hashes, ok, err, h.checks)
			}
		}
	}
}

func TestAPasswordIsKeptAnewWhenItsCostsOrPepperRose(t *testing.T) {
	r, h, p := room(t)
	const pw = "wobbly teapot sky"
	record, err := r.Prepare(t.Context(), pw, password.Anyone)
	if err != nil {
		t.Fatal(err)
	}
	record.Level = identity.P5
	p.inUse = 2
	ok, fresh, err := r.Check(t.Context(), record, pw, password.Known)
	if !ok || err != nil || fresh == nil || fresh.Pepper != 2 || fresh.Level != identity.P5 || !fresh.Set.Equal(record.Set) {
		t.Fatalf("wanted it anew under the second pepper, got %v, %+v, %v", ok, fresh, err)
	}
	if ok, again, err := r.Check(t.Context(), *fresh, pw, password.Known); !ok || again != nil || err != nil {
		t.Errorf("wanted it as it is, got %v, %v, %v", ok, again, err)
	}
	h.busy = true
	if ok, fresh, err := r.Check(t.Context(), record, pw, password.Known); !ok || fresh != nil || err != nil {
		t.Errorf("a right password was turned away for its re-hash: %v, %v, %v", ok, fresh, err)
	}
	if _, err := r.Prepare(t.Context(), pw, password.Anyone); !errors.Is(err, identity.ErrUnavailable) {
		t.Errorf("wanted busy to be unavailable, got %v", err)
	}
}

func TestVerifyRefusesWhatIsNoHashOfOurs(t *testing.T) {
	good := string(password.Hash(password.Peppered{1}))
	if ok, err := password.Verify(password.PHC(good), password.Peppered{1}); !ok || err != nil {
		t.Fatalf("wanted a match, got %v, %v", ok, err)
	}
	if ok, err := password.Verify(password.PHC(good), password.Peppered{2}); ok || err != nil {
		t.Errorf("wanted no match, got %v, %v", ok, err)
	}
	for name, phc := range map[string]string{
		"nothing":              "",
		"another kind":         strings.Replace(good, "argon2id", "argon2i", 1),
		"another version":      strings.Replace(good, "v=19", "v=16", 1),
		"a gigabyte":           strings.Replace(good, "m=19456", "m=1048576", 1),
		"128 MiB":              strings.Replace(good, "m=19456", "m=131072", 1),
		"no passes":            strings.Replace(good, "t=2", "t=0", 1),
		"a zero before":        strings.Replace(good, "m=19456", "m=019456", 1),
		"a sign before":        strings.Replace(good, "m=19456", "m=+19456", 1),
		"costs in disorder":    strings.Replace(good, "m=19456,t=2", "t=2,m=19456", 1),
		"a cost too many":      strings.Replace(good, "p=1", "p=1,keyid=a", 1),
		"a line behind":        good + "\n",
		"ninety-nine passes":   strings.Replace(good, "t=2", "t=99", 1),
		"nine lanes":           strings.Replace(good, "p=1", "p=9", 1),
		"too little memory":    strings.Replace(good, "m=19456", "m=1", 1),
		"cut":                  good[:len(good)-1],
		"something behind":     good + "A",
		"loose bits at an end": good[:len(good)-1] + "/",
	} {
		if ok, err := password.Verify(password.PHC(phc), password.Peppered{1}); ok || err == nil {
			t.Errorf("%s: wanted an error, got %v", name, ok)
		} else if strings.Contains(err.Error(), "$") {
			t.Errorf("%s: the error shows the hash", name)
		}
	}
	if weak := strings.Replace(good, "m=19456", "m=9728", 1); !password.PHC(weak).Outdated() || password.PHC(good).Outdated() {
		t.Error("wanted the cheaper one outdated, and the other not")
	}
}
