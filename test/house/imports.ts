/** What one source file imports and whether it reads the environment, by TypeScript's own parser. */
import ts from 'typescript';

export interface Import {
  specifier: string;
  /** Erased by the compiler: `import type`, only type specifiers, or `import('x').Y` in a type. */
  typeOnly: boolean;
  line: number;
}

export interface Source {
  imports: Import[];
  /** Lines that read `process.env` or import `env` from `node:process`. */
  environment: number[];
}

export const parseSource = (path: string, text: string): Source => {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);
  const imports: Import[] = [];
  const environment: number[] = [];
  const lineOf = (node: ts.Node) => file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1;
  const add = (node: ts.Node, specifier: ts.Node | undefined, typeOnly: boolean) => {
    if (specifier !== undefined && ts.isStringLiteralLike(specifier)) {
      imports.push({ specifier: specifier.text, typeOnly, line: lineOf(node) });
    }
  };

  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      add(node, node.moduleSpecifier, isTypeOnlyImport(node.importClause));
      const fromProcess =
        ts.isStringLiteral(node.moduleSpecifier) && /^(node:)?process$/.test(node.moduleSpecifier.text);
      const named = node.importClause?.namedBindings;
      if (fromProcess && named !== undefined && ts.isNamedImports(named)) {
        if (named.elements.some((each) => (each.propertyName ?? each.name).text === 'env'))
          environment.push(lineOf(node));
      }
    } else if (ts.isExportDeclaration(node)) {
      const clause = node.exportClause;
      const allTypes =
        clause !== undefined && ts.isNamedExports(clause) && clause.elements.every((each) => each.isTypeOnly);
      add(node, node.moduleSpecifier, node.isTypeOnly || allTypes);
    } else if (ts.isCallExpression(node)) {
      const called = node.expression;
      const loads =
        called.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(called) && called.text === 'require');
      if (loads) add(node, node.arguments[0], false);
    } else if (ts.isImportTypeNode(node)) {
      add(node, ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined, true);
    } else if (ts.isImportEqualsDeclaration(node) && ts.isExternalModuleReference(node.moduleReference)) {
      add(node, node.moduleReference.expression, node.isTypeOnly);
    } else if (readsEnvironment(node)) {
      environment.push(lineOf(node));
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return { imports, environment };
};

const isTypeOnlyImport = (clause: ts.ImportClause | undefined): boolean => {
  if (clause === undefined) return false; // import 'x' runs it
  if (clause.isTypeOnly) return true;
  const named = clause.namedBindings;
  return (
    clause.name === undefined &&
    named !== undefined &&
    ts.isNamedImports(named) &&
    named.elements.length > 0 &&
    named.elements.every((each) => each.isTypeOnly)
  );
};

/** `process.env`, `process['env']` or `const { env } = process`. */
const readsEnvironment = (node: ts.Node): boolean => {
  const isProcess = (each: ts.Node | undefined) =>
    each !== undefined && ts.isIdentifier(each) && each.text === 'process';
  if (ts.isPropertyAccessExpression(node)) return isProcess(node.expression) && node.name.text === 'env';
  if (ts.isElementAccessExpression(node)) {
    return (
      isProcess(node.expression) &&
      ts.isStringLiteralLike(node.argumentExpression) &&
      node.argumentExpression.text === 'env'
    );
  }
  if (ts.isVariableDeclaration(node) && isProcess(node.initializer) && ts.isObjectBindingPattern(node.name)) {
    return node.name.elements.some((each) => (each.propertyName ?? each.name).getText() === 'env');
  }
  return false;
};
