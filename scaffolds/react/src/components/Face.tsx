/** The first letter of a name on a colour that is always the same for it. */
export function Face({ name }: { name: string }) {
  const hue = [...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)!) % 360, 7);
  const style = { "--hue": hue } as React.CSSProperties;
  return (
    <span className="face" style={style} aria-hidden="true">
      {[...name][0]?.toUpperCase()}
    </span>
  );
}
