package benchmark

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMedian(t *testing.T) {
	for name, row := range map[string]struct {
		values []float64
		want   float64
	}{
		"none":             {nil, 0},
		"one":              {[]float64{3}, 3},
		"odd, out of line": {[]float64{9, 1, 2}, 2},
		"even":             {[]float64{4, 1, 2, 100}, 3},
	} {
		if got := median(row.values); got != row.want {
			t.Errorf("%s: wanted %v, got %v", name, row.want, got)
		}
	}
}

func TestRows(t *testing.T) {
	for name, r := range map[string]struct {
		row
		ratio float64
		met   bool
	}{
		"a figure under its goal":              {row: alone("a", "ms", 50, 60), met: true},
		"a figure over its goal":               {row: alone("a", "ms", 61, 60)},
		"a ratio, of pairs and not of medians": {row: besides("a", "µs", [][2]float64{{2, 1}, {20, 10}, {30, 20}}, 2), ratio: 2, met: true},
		"a ratio over its goal":                {row: besides("a", "µs", [][2]float64{{3, 1}}, 2.9), ratio: 3},
	} {
		if r.row.ratio != r.ratio || r.row.met() != r.met {
			t.Errorf("%s: wanted ratio %v and met %v, got %v and %v", name, r.ratio, r.met, r.row.ratio, r.row.met())
		}
	}
}

func TestTable(t *testing.T) {
	var b strings.Builder
	if err := writeTable(&b, []row{alone("binary", "MiB", 23.88, 40), besides("check", "µs", [][2]float64{{30, 15}}, 1.5)}); err != nil {
		t.Fatal(err)
	}
	want := strings.TrimLeft(`
what    figure    beside  ratio  goal            result
binary  23.9 MiB                 at most 40 MiB  met
check   30 µs     15 µs   2.00   at most 1.5 ×   MISSED
`, "\n")
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestProcessorTime(t *testing.T) {
	// A name may hold anything, brackets and spaces included (proc(5)).
	const stat = `42 (dilys ) serve) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 9 0 100 1 1`
	got, err := processorTime(stat, 100)
	if err != nil || got.Seconds() != 2 {
		t.Errorf("wanted 2s, got %v, %v", got, err)
	}
	for _, broken := range []string{"", "42 (dilys) S 1", "42 (dilys) S 1 42 42 0 -1 4194560 100 0 0 0 a b 0"} {
		if _, err := processorTime(broken, 100); err == nil {
			t.Errorf("%q: wanted an error, got none", broken)
		}
	}
}

func TestResident(t *testing.T) {
	got, err := resident("Name:\tdilys\nVmHWM:\t  40000 kB\nVmRSS:\t  20480 kB\n")
	if err != nil || got != 20 {
		t.Errorf("wanted 20 MiB, got %v, %v", got, err)
	}
	if _, err := resident("Name:\tdilys\n"); err == nil {
		t.Error("wanted an error, got none")
	}
}
