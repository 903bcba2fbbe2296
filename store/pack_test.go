package store_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/session"
	"github.com/dilys-id/dilys/store"
)

// filled is a session in which no field has its zero value, whatever fields it
// has: one that is added and not packed fails the test below.
func filled(t *testing.T) session.Session {
	t.Helper()
	var s session.Session
	fillValue(t, reflect.ValueOf(&s).Elem())
	return s
}

func fillValue(t *testing.T, v reflect.Value) {
	t.Helper()
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(began.Add(time.Microsecond)))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fillValue(t, v.Field(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			fillValue(t, v.Index(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fillValue(t, v.Index(0))
		fillValue(t, v.Index(1))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fillValue(t, key)
		fillValue(t, value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString("wörd")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(-12_345)
	case reflect.Uint8:
		v.SetUint(201)
	default:
		t.Fatalf("wanted a kind of field that can be packed, got %s", v.Type())
	}
}

// kept is what the packed body keeps: the store has columns for the others.
func kept(s session.Session) session.Session {
	s.Seen, s.Ended = time.Time{}, time.Time{}
	return s
}

func TestPackedSessionIsWhole(t *testing.T) {
	for name, want := range map[string]session.Session{
		"every field": filled(t), "no field": {}, "unknown age": {Age: identity.AgeUnknown},
		"before 1970": {Created: time.Date(1955, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		got, err := store.UnpackSession(store.PackSession(want))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(kept(want), got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// A program reads what an earlier one packed, with fewer fields, and what a later
// one packed, with more.
func TestPackedSessionOfOtherVersions(t *testing.T) {
	whole := store.PackSession(filled(t))
	later, err := store.UnpackSession(whole + "\x04more")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(kept(filled(t)), later); diff != "" {
		t.Error(diff)
	}
	readable := 0
	for n := range len(whole) {
		earlier, err := store.UnpackSession(whole[:n])
		if err != nil {
			continue // cut within a field
		}
		readable++
		if n > 10 && earlier.Handle != "wörd" {
			t.Fatalf("cut at %d: wanted what was there", n)
		}
	}
	if readable < 20 {
		t.Errorf("wanted every cut between fields readable, got %d", readable)
	}
}

func FuzzUnpackSession(f *testing.F) {
	f.Add("")
	f.Add(store.PackSession(session.Session{Handle: "handle", Account: "account", Created: began}))
	f.Add("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
	f.Add("\x02")
	f.Add("\x01")
	f.Add("\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01x")
	f.Fuzz(func(t *testing.T, body string) {
		s, err := store.UnpackSession(body)
		if err != nil {
			return
		}
		again, err := store.UnpackSession(store.PackSession(s))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s, again); diff != "" {
			t.Fatal(diff)
		}
	})
}
