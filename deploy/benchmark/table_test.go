package benchmark

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// row is one line of the table. beside is 0 where nothing stands beside the
// figure: it is then judged itself, and otherwise the ratio is.
type row struct {
	what           string
	unit           string
	figure, beside float64
	ratio          float64
	goal           float64
}

// alone is a figure that is judged by itself.
func alone(what, unit string, figure, goal float64) row {
	return row{what: what, unit: unit, figure: figure, goal: goal}
}

// besides puts pairs of a figure and the work beside it, each pair measured one
// after the other, into a row: medians, and the median of the pairs' ratios, which
// a machine that slows down half-way does not bend.
func besides(what, unit string, pairs [][2]float64, goal float64) row {
	var figures, others, ratios []float64
	for _, p := range pairs {
		figures, others, ratios = append(figures, p[0]), append(others, p[1]), append(ratios, p[0]/p[1])
	}
	return row{what, unit, median(figures), median(others), median(ratios), goal}
}

// judged is the number that the goal is about.
func (r row) judged() float64 {
	if r.beside == 0 {
		return r.figure
	}
	return r.ratio
}

func (r row) met() bool { return r.judged() <= r.goal }

// cells are the columns of the row.
func (r row) cells() []string {
	out := []string{r.what, number(r.figure) + " " + r.unit, "", "", "at most " + number(r.goal) + " " + r.unit, "met"}
	if r.beside != 0 {
		out[2], out[3], out[4] = number(r.beside)+" "+r.unit, strconv.FormatFloat(r.ratio, 'f', 2, 64), "at most "+number(r.goal)+" ×"
	}
	if !r.met() {
		out[5] = "MISSED"
	}
	return out
}

// number writes three digits, and no more than are known.
func number(v float64) string {
	if v >= 100 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// writeTable writes the rows under their heads.
func writeTable(w io.Writer, rows []row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	all := [][]string{{"what", "figure", "beside", "ratio", "goal", "result"}}
	for _, r := range rows {
		all = append(all, r.cells())
	}
	for _, cells := range all {
		if _, err := fmt.Fprintln(t, strings.Join(cells, "\t")); err != nil {
			return err
		}
	}
	return t.Flush()
}

// median returns the middle value, or the mean of the two in the middle; of
// nothing, 0.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
