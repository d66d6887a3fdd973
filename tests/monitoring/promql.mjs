// Parses PromQL with Prometheus' own grammar and says what each expression uses.
//
// stdin: {"modules": folder of node_modules, "expressions": [text, ...]}
// stdout: for each expression {"errors": [...], "selectors": [{metric, labels, range, inside}], "groups": [{labels, metrics}]}
//   inside: the functions and operators around the selector, innermost first
//   groups: the labels of by, without, on and group_left, and the metrics below the node that they belong to
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const input = JSON.parse(readFileSync(0, 'utf8'));
const require = createRequire(input.modules + '/');
const { parser } = require('@prometheus-io/lezer-promql');

function analyse(text) {
  const errors = [];
  const selectors = [];
  const groups = [];
  const slice = (node) => text.slice(node.from, node.to);
  const walk = (node, inside) => {
    let around = inside;
    if (node.name === 'FunctionCall') around = [slice(node.getChild('FunctionIdentifier')), ...inside];
    if (node.name === 'AggregateExpr') around = [slice(node.getChild('AggregateOp')), ...inside];
    if (node.name === 'MatrixSelector') around = ['[]', ...inside];
    if (node.name === 'VectorSelector') {
      const labels = [];
      node.cursor().iterate((child) => {
        if (child.name === 'LabelName') labels.push(text.slice(child.from, child.to));
      });
      const name = node.getChild('Identifier');
      const below = inside[0] === '[]';
      selectors.push({ metric: name ? slice(name) : '', labels, range: below, inside: inside.filter((word) => word !== '[]') });
      return;
    }
    if (node.name === 'GroupingLabels') {
      let owner = node.parent;
      while (owner && owner.name !== 'AggregateExpr' && owner.name !== 'BinaryExpr') owner = owner.parent;
      const labels = [];
      for (let child = node.firstChild; child; child = child.nextSibling) {
        if (child.name === 'LabelName') labels.push(slice(child));
      }
      const metrics = [];
      const added = [];
      owner.cursor().iterate((child) => {
        if (child.name === 'VectorSelector') {
          const id = child.node.getChild('Identifier');
          if (id) metrics.push(slice(id));
        }
        if (child.name === 'StringLiteral') added.push(text.slice(child.from + 1, child.to - 1)); // label_replace
      });
      groups.push({ labels, metrics, added });
    }
    for (let child = node.firstChild; child; child = child.nextSibling) walk(child, around);
  };
  const tree = parser.parse(text);
  tree.iterate({
    enter: (node) => {
      if (node.type.isError) errors.push(`at ${node.from}: ${JSON.stringify(text.slice(node.from, node.from + 40))}`);
    },
  });
  walk(tree.topNode, []);
  return { errors, selectors, groups };
}

process.stdout.write(JSON.stringify(input.expressions.map(analyse)));
