"use client";
import { useEffect, useState } from "react";
import { run } from "./app.js";

export default function Page() {
  const [result, setResult] = useState("…");
  useEffect(() => {
    run().then(
      (value) => setResult(JSON.stringify(value)),
      (error) => setResult(String(error)),
    );
  }, []);
  return <output>{result}</output>;
}
