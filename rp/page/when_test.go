package page

import (
	"testing"
	"time"
)

func voices(t *testing.T) map[string]*voice {
	t.Helper()
	zone, err := loadZone()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*voice{}
	for lang, words := range readAll(t) {
		if all[lang], err = newVoice(lang, words, zone, func(name string) string { return name }); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestMoment(t *testing.T) {
	for name, row := range map[string]struct{ at, en, cy string }{
		"winter":                            {"2026-11-21T15:05:00Z", "21 November 2026 at 3:05pm", "21 Tachwedd 2026 am 3:05pm"},
		"summer time":                       {"2026-07-01T15:05:59Z", "1 July 2026 at 4:05pm", "1 Gorffennaf 2026 am 4:05pm"},
		"on the hour":                       {"2026-02-03T09:00:00Z", "3 February 2026 at 9am", "3 Chwefror 2026 am 9am"},
		"midday":                            {"2026-05-01T11:00:00Z", "1 May 2026 at 12 midday", "1 Mai 2026 am 12 canol dydd"},
		"just after midday":                 {"2026-05-01T11:01:00Z", "1 May 2026 at 12:01pm", "1 Mai 2026 am 12:01pm"},
		"midnight":                          {"2026-12-31T00:00:00Z", "31 December 2026 at 12 midnight", "31 Rhagfyr 2026 am 12 hanner nos"},
		"another day in the UK than in UTC": {"2026-08-31T23:30:00Z", "1 September 2026 at 12:30am", "1 Medi 2026 am 12:30am"},
		"the hour that comes twice, first":  {"2026-10-25T00:30:00Z", "25 October 2026 at 1:30am", "25 Hydref 2026 am 1:30am"},
		"given in another zone":             {"2026-01-01T01:00:00+05:00", "31 December 2025 at 8pm", "31 Rhagfyr 2025 am 8pm"},
	} {
		at, err := time.Parse(time.RFC3339, row.at)
		if err != nil {
			t.Fatal(err)
		}
		for lang, want := range map[string]string{English: row.en, Welsh: row.cy} {
			if got, err := voices(t)[lang].moment(at); err != nil || got != want {
				t.Errorf("%s: got %q, %v", name, got, err)
			}
		}
	}
}

func TestABirthDateDoesNotMoveWithTheZone(t *testing.T) {
	born := time.Date(1970, 6, 1, 0, 0, 0, 0, time.FixedZone("", -8*3600))
	if got := voices(t)[Welsh].day(born); got != "1 Mehefin 1970" {
		t.Errorf("got %s", got)
	}
}

func TestLasts(t *testing.T) {
	for d, want := range map[time.Duration][2]string{
		0:                            {"Until you close your browser", "Nes i chi gau eich porwr"},
		-time.Hour:                   {"Until you close your browser", "Nes i chi gau eich porwr"},
		time.Minute:                  {"1 minute", "1 funud"},
		2 * time.Minute:              {"2 minutes", "2 funud"},
		30 * time.Minute:             {"30 minutes", "30 munud"},
		90*time.Minute + time.Second: {"90 minutes", "90 munud"},
		12 * time.Hour:               {"12 hours", "12 awr"},
		24 * time.Hour:               {"1 day", "1 diwrnod"},
		48 * time.Hour:               {"2 days", "2 ddiwrnod"},
		30 * 24 * time.Hour:          {"30 days", "30 diwrnod"},
		365 * 24 * time.Hour:         {"1 year", "1 flwyddyn"},
		730 * 24 * time.Hour:         {"2 years", "2 flynedd"},
		400 * 24 * time.Hour:         {"400 days", "400 diwrnod"},
	} {
		for i, lang := range spoken {
			if got, err := voices(t)[lang].lasts(d); err != nil || got != want[i] {
				t.Errorf("%s: got %q, %v", d, got, err)
			}
		}
	}
}

func TestMonthsAreTwelve(t *testing.T) {
	if _, err := readMonths("January February"); err == nil {
		t.Error("two months made a year")
	}
}
