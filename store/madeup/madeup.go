// Package madeup owns patients that nobody is: names that say so, numbers of the
// test range, telephone numbers and addresses that reach nobody. Tests and
// development load a register of them.
//
// It never touches a real person's values, and the service can't reach it.
package madeup

import (
	"encoding/csv"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// families and givens say in Welsh or English that they are for a test.
var (
	families = []string{"Prawf", "Enghraifft", "Test-Jones", "Ffug", "Example", "Sampl", "O'Prawf", "Ó Sampla", "Testwen", "Dychmygol"}
	givens   = []string{"Siân", "Prawfddyn", "Dilys", "Llŷr", "Enghreifftia", "Sampla", "Testina", "Ffugwen", "Mair", "Ŵyn"}
)

// Patients returns that many, the same ones each time, in the order of the number:
// every seventh a child with a parent's contacts, some without mobile or e-mail,
// every hundredth protected. From 909,090 on, their numbers begin with 998, 997…
func Patients(count int) iter.Seq[identity.Entry] {
	return func(yield func(identity.Entry) bool) {
		i := 0
		for n := range numbers(count) {
			if !yield(patient(i, n)) {
				return
			}
			i++
		}
	}
}

// numbers returns numbers of the test range, which are never given to anybody.
func numbers(count int) iter.Seq[identity.NHSNumber] {
	return func(yield func(identity.NHSNumber) bool) {
		for block := 999; count > 0 && block >= 900; block-- {
			for i := 0; i < 1_000_000 && count > 0; i++ {
				n, whole := checked(block*1_000_000 + i)
				if !whole {
					continue
				}
				if count--; !yield(n) {
					return
				}
			}
		}
	}
}

// checked puts the check digit behind nine digits; some have none.
func checked(nine int) (identity.NHSNumber, bool) {
	sum, weight := 0, 2
	for rest := nine; rest > 0; rest /= 10 {
		sum += rest % 10 * weight
		weight++
	}
	n, err := identity.ParseNHSNumber(fmt.Sprintf("%09d%d", nine, (11-sum%11)%11%10))
	return n, err == nil
}

func patient(i int, n identity.NHSNumber) identity.Entry {
	born := time.Date(1930, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, i*37%(80*365))
	household := i
	if i%7 == 6 { // a child, on whose entry the contacts of the patient before stand
		born, household = time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, i*11%3000), i-1
	}
	e := identity.Entry{
		NHSNumber: n, FamilyName: must(identity.ParseName(families[household%len(families)])),
		GivenName: must(identity.ParseName(givens[i/len(families)%len(givens)])), BirthDate: must(identity.ParseBirthDate(born.Format(time.DateOnly))),
		Postcode: must(identity.ParsePostcode(fmt.Sprintf("ZZ%d %dAA", household%90+10, household/90%10))),
		Practice: fmt.Sprintf("W%05d", household%400), Protected: i%100 == 99,
	}
	if household%5 != 4 {
		e.Mobile = must(identity.ParsePhone(fmt.Sprintf("07700%06d", household%1_000_000))) // 900000 to 900999 are Ofcom's, the others nobody's here
	}
	if household%4 != 3 {
		e.Email = must(identity.ParseEmail(fmt.Sprintf("patient-%d@example.com", household)))
	}
	if household%3 == 0 {
		e.Landline = must(identity.ParsePhone(fmt.Sprintf("01632%06d", household%1_000_000)))
	}
	if household%6 == 0 {
		e.FormerFamilyName = must(identity.ParseName("Cynt-" + families[(i+3)%len(families)]))
	}
	return e
}

// must unwraps what these constants can't make wrong.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Columns is the header of a register's file.
var Columns = []string{
	"nhs_number", "family_name", "former_family_name", "given_name", "birth_date", "mobile", "landline", "email", "postcode",
	"practice", "status", "protected", "gp_account_id", "gp_linkage_key",
}

// WriteCSV writes entries as a register's file.
func WriteCSV(w io.Writer, entries iter.Seq[identity.Entry]) error {
	out := csv.NewWriter(w)
	if err := out.Write(Columns); err != nil {
		return err
	}
	for e := range entries {
		protected := "no"
		if e.Protected {
			protected = "yes"
		}
		err := out.Write([]string{
			e.NHSNumber.Reveal(), e.FamilyName.Reveal(), e.FormerFamilyName.Reveal(), e.GivenName.Reveal(), e.BirthDate.Reveal(),
			e.Mobile.Reveal(), e.Landline.Reveal(), e.Email.Reveal(), e.Postcode.Reveal(), e.Practice, string(e.Standing), protected,
			e.GPAccountID.Reveal(), e.GPLinkageKey.Reveal(),
		})
		if err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
