import { questions } from "./questions.ts";

const [name = "", task = "{}"] = process.argv.slice(2);
const question = questions[name as keyof typeof questions] as ((task: object) => Promise<unknown>) | undefined;
if (question === undefined) throw new Error(`There is no question ${name}`);
const result = await question(JSON.parse(task) as object);
process.stdout.write(JSON.stringify(result), () => process.exit(0));
