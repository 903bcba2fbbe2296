package main

import (
	"context"
	"fmt"

	"github.com/dilys-id/dilys/cmd/internal/service"
	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/store"
)

// madeUp are the patients of the register here. No number of theirs was ever given
// to anybody, and no telephone rings.
var madeUp = []struct {
	number, given, family, born, mobile, email, postcode string
	protected                                            bool
}{
	{"9991000003", "Gwen", "Arwydd", "1985-05-17", "07700 900201", "gwen.arwydd@example.com", "CF10 1AA", false},
	{"9991000070", "Siôn", "Tŷ-Prawf", "1952-02-29", "07700 900202", "", "SA1 1AA", false},
	{"9991000143", "Elin", "Rhannu", "1978-11-30", "07700 900203", "teulu.rhannu@example.com", "LL11 1AA", false},
	{"9991000216", "Owain", "Rhannu", "2004-01-08", "07700 900203", "teulu.rhannu@example.com", "LL11 1AA", false},
	{"9991000283", "Nest", "Cudd", "1990-07-21", "07700 900205", "", "NP20 1AA", true},
	{"9991000356", "Idris", "Distaw", "1940-09-02", "", "", "SY23 1AA", false},
}

// practice is the one of all of them.
const practice = "W97999"

// fillRegister loads the index where nothing is in it yet.
func fillRegister(ctx context.Context, s *service.Service) error {
	if s.Config.Register == nil || s.Config.Register.Kind != "index" {
		return nil
	}
	status, err := s.DB.Register().Status(ctx)
	if err != nil || status.Entries > 0 {
		return err
	}
	loaded, err := s.DB.Register().Load(ctx, func(yield func(store.RegisterRow) error) error {
		for _, m := range madeUp {
			d, err := identity.Revealed{
				NHSNumber: m.number, GivenName: m.given, FamilyName: m.family, BirthDate: m.born, Email: m.email, Phone: m.mobile,
			}.Details()
			if err != nil {
				return fmt.Errorf("made-up patient %s: %w", m.given, err)
			}
			postcode, err := identity.ParsePostcode(m.postcode)
			if err != nil {
				return fmt.Errorf("made-up patient %s: %w", m.given, err)
			}
			err = yield(store.RegisterRow{Entry: identity.Entry{
				NHSNumber: d.NHSNumber, GivenName: d.GivenName, FamilyName: d.FamilyName, BirthDate: d.BirthDate,
				Mobile: d.Phone, Email: d.Email, Postcode: postcode, Practice: practice, Protected: m.protected,
			}})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.DB.Register().Switch(ctx, loaded)
}
