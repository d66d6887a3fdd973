// Small helpers for PromQL. Expressions are written with `{@}` or `{@, label="x"}` for "the series of Muster": rules put
// the configured selector there, dashboards their variables.
{
  bind(expr, selector):: std.strReplace(std.stripChars(expr, ' \n'), '{@', '{' + selector),

  by(labels):: 'by (' + std.join(', ', labels) + ')',

  // a / b that is 0, and not absent or NaN, when b is 0 (a is then 0 too).
  ratio(a, b):: '%s\n/\nclamp_min(%s, 1e-9)' % [a, b],

  // The q-quantile of a histogram's rate.
  quantile(q, buckets, labels, window)::
    'histogram_quantile(%g, sum by (%s) (rate(%s[%s])))' % [q, std.join(', ', ['le'] + labels), buckets, window],
}
